"""The one writer: takes what happened, decides, saves, carries out, publishes.

Everything that changes the roster comes through `post` or `ask`, and is taken in batches: one
save for all that waits. A step is saved before its effects are carried out, and its events are
announced after they are on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core import roster as rosters
from opmas.core.change import engine
from opmas.core.change.ledger import forget, under_way
from opmas.core.change.surroundings import Surroundings
from opmas.core.events import Announce, Tick, Tidy, Turn
from opmas.core.recovery.alerts import follow
from opmas.core.recovery.remedies import remedy
from opmas.errors import StoreError
from opmas.manager.clock import rfc3339
from opmas.store.rows import NewEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.events import Effect, Event
    from opmas.core.roster import Roster
    from opmas.manager.clock import Clock
    from opmas.manager.problems import Problems
    from opmas.manager.state.eventlog import EventLog
    from opmas.manager.state.saver import Saver

    Step = Callable[[Roster, float], rosters.Decision]

logger = logging.getLogger(__name__)

BATCH: Final = 512
IDLE: Final = 5.0  # seconds; the loop turns at least this often, and so feeds the watchdog


@contextlib.contextmanager
def _reported(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.exception(what)


@dataclass(slots=True)
class _Item:
    """A step to take; `answer` is of a caller who waits for it, and may be refused."""

    step: Step
    author: str = ""
    answer: asyncio.Future[None] | None = None


class Writer:
    """Owns the roster. `carry_out` gets the effects, `progressed` is called each turn.

    `wished` gets the name of each agent that is to run or not to run from now on, and that alone.
    """

    def __init__(
        self,
        roster: Roster,
        saver: Saver,
        log: EventLog,
        problems: Problems,
        clock: Clock,
        digest: Callable[[AgentSpec], str],
    ) -> None:
        self.roster = roster
        self.saver = saver
        self._log = log
        self._problems = problems
        self._clock = clock
        self._digest = digest
        self._items: deque[_Item] = deque()
        self._wake = asyncio.Event()
        self._broken: set[int] = set()  # changes, said once each
        self._watchers: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self.carry_out: Callable[[Iterable[Effect]], None] = lambda _: None
        self.wished: Callable[[str], None] = lambda _: None
        self.progressed: Callable[[], None] = lambda: None
        self.surroundings: Callable[[], Surroundings] = Surroundings

    def post(self, name: str, event: Event) -> None:
        """Take note of something about one agent; about an unknown one it is ignored."""

        def step(roster: Roster, now: float) -> rosters.Decision:
            if name not in roster.agents:
                return roster, ()
            return rosters.step(roster, name, event, now)

        self._add(_Item(step))

    def post_step(self, step: Step) -> None:
        """Take a step that cannot be refused."""
        self._add(_Item(step))

    def announce(self, kind: str, subject: str, data: dict[str, object]) -> None:
        """Append to the event log."""
        news = Announce(kind, subject, data)
        self._add(_Item(lambda roster, _now: (roster, (news,))))

    async def ask(self, step: Step, author: str) -> None:
        """Take a step that may be refused: raises what refused it; returns when it is saved."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._add(_Item(step, author, answer))
        await answer

    async def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:  # noqa: ASYNC109 -- it returns, it does not raise
        """Return whether the condition on the roster came true within `timeout` seconds."""
        if condition() or timeout <= 0:
            return condition()
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers[watcher] = condition
        try:
            await asyncio.wait([watcher], timeout=timeout)
        finally:
            self._watchers.pop(watcher, None)
        return condition()

    async def run(self) -> None:
        """Turn until cancelled."""
        while True:
            await self._sleep()
            self.turn(self._take())
            self.progressed()
            await asyncio.sleep(0)  # sockets get their turn between two batches

    def flush(self) -> None:
        """Take all that waits, at once: at the start and at the end of the manager."""
        while self._items:
            self.turn(self._take())

    def _take(self) -> list[_Item]:
        """Return the steps that are taken together: those of one author and of nobody."""
        taken: list[_Item] = []
        author = ""
        while self._items and len(taken) < BATCH:
            if author and self._items[0].author not in {"", author}:
                break
            taken.append(self._items.popleft())
            author = author or taken[-1].author
        return taken

    def turn(self, items: list[_Item]) -> None:
        """Take the steps: decide, save, carry out, publish, answer."""
        before, now = self.roster, self._clock.monotonic()
        after, effects = self._decide(items, now)
        news = self._news(effects)
        author = next((item.author for item in items if item.author), "manager")
        try:
            stored = self.saver.save(before, after, news, author)
        except Exception as error:  # noqa: BLE001 -- `_isolate` says it, or raises it
            if not isinstance(error, StoreError):
                self._isolate(items, error)
                return
            self._problems.report("database-unavailable", error.message)
            self._refuse(items, error)
            # facts are taken in; no change goes a step further that cannot be saved
            items = [i for i in items if i.answer is None]
            after, effects = self._decide(items, now, advance=False)
            self.saver.postpone(before, after, self._news(effects))
            # what an unsaved end would delete is needed if that end is not saved in the end
            effects = [e for e in effects if not isinstance(e, Tidy)]
            stored = []
        else:
            if stored:
                self._problems.clear("database-unavailable")
        self.roster = after
        # it is decided and saved: each of these is done, whatever becomes of the others
        with _reported("some events were not announced"):
            self._log.publish(stored)
        with _reported("what was decided was not carried out"):
            self.carry_out([e for e in effects if not isinstance(e, Announce)])
        for name, agent in after.agents.items():
            old = before.agents.get(name)
            if old is not None and old is not agent and _was_wished(old.spec, agent.spec):
                self.wished(name)
        self._answer(items)

    def _isolate(self, items: list[_Item], error: Exception) -> None:
        """Take one by one what cannot be saved together, and leave out what is at fault."""
        if not items:  # it is in the roster itself: begin anew from what was saved
            raise error
        if len(items) > 1:
            for item in items:
                self.turn([item])
            return
        logger.error("a step cannot be saved, it is left out", exc_info=error)
        self._refuse(items, error)

    def _decide(
        self, items: list[_Item], now: float, *, advance: bool = True
    ) -> tuple[Roster, list[Effect]]:
        roster = self.roster if self.saver.behind else forget(self.roster)
        offset = self._clock.utc().timestamp() - now
        roster = replace(roster, utc_offset=offset, around=self.surroundings())
        roster, effects = self._take_steps(roster, items, now)
        for name in rosters.due(roster, now):
            roster, more = rosters.step(roster, name, Tick(), now)
            effects.extend(more)
        if advance:
            roster, more = remedy(roster, now)
            effects.extend(more)
            roster, more = self._advance(roster, now)
            effects.extend(more)
        roster, more = rosters.tie(roster, now)
        effects.extend(more)
        while names := rosters.turns(roster):
            for name in names:
                turn = Turn(self._digest(roster.agents[name].spec))
                roster, more = rosters.step(roster, name, turn, now)
                effects.extend(more)
        roster, news = follow(self.roster, roster, now)
        return roster, [*effects, *news]

    def _advance(self, roster: Roster, now: float) -> rosters.Decision:
        """Take all changes on; one that breaks stays where it is, and stops none of the others."""
        effects: list[Effect] = []
        for change in list(under_way(roster)):
            try:
                roster, more = engine.advance_one(roster, change.id, now)
            except Exception:
                if change.id not in self._broken:
                    logger.exception("change %d cannot go on: a fault of the manager", change.id)
                self._broken.add(change.id)
                continue
            effects.extend(more)
        return roster, tuple(effects)

    @staticmethod
    def _take_steps(roster: Roster, items: list[_Item], now: float) -> tuple[Roster, list[Effect]]:
        effects: list[Effect] = []
        for item in items:
            try:
                roster, more = item.step(roster, now)
            except Exception as error:
                if item.answer is None:
                    logger.exception("a step was refused that cannot be")
                elif not item.answer.done():
                    item.answer.set_exception(error)
                continue
            effects.extend(more)
        return roster, effects

    def _news(self, effects: Iterable[Effect]) -> list[NewEvent]:
        time = rfc3339(self._clock.utc())
        return [
            NewEvent(time, e.type, e.subject, e.data) for e in effects if isinstance(e, Announce)
        ]

    @staticmethod
    def _refuse(items: list[_Item], error: Exception) -> None:
        for item in items:
            if item.answer is not None and not item.answer.done():
                item.answer.set_exception(error)

    def _answer(self, items: list[_Item]) -> None:
        for item in items:
            if item.answer is not None and not item.answer.done():
                item.answer.set_result(None)
        for watcher, condition in list(self._watchers.items()):
            if not watcher.done() and condition():
                watcher.set_result(None)

    def _add(self, item: _Item) -> None:
        self._items.append(item)
        self._wake.set()

    async def _sleep(self) -> None:
        self._wake.clear()
        if self._items:
            return
        at = rosters.next_deadline(self.roster)
        delay = IDLE if at is None else min(IDLE, max(0.0, at - self._clock.monotonic()))
        # not wait_for: on Python 3.11 it may swallow a cancellation that comes with the wake-up
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._wake.wait()


def _was_wished(old: AgentSpec, new: AgentSpec) -> bool:
    return old.desired != new.desired and replace(old, desired=new.desired) == new
