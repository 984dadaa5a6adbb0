"""A host whose manager is killed at any step: the real writer, store and core, systemd a model.

A step is what a kill may come between: the save of a turn, each effect after it, each answer that
goes back. `fuse` counts them; at zero `Killed` is raised, and what was not saved is lost.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from opmas.core import events, roster
from opmas.core.agent.terms import Desired
from opmas.core.change import engine, plan, watching
from opmas.core.change.change import Change, ChangeState, TaskName, TaskState
from opmas.core.change.evidence import Surroundings
from opmas.core.change.sight import sight
from opmas.core.events import Forget, Measure, RunTask, StartUnit, StopUnit
from opmas.core.roster import Roster
from opmas.errors import OpmasError
from opmas.manager.problems import Problems
from opmas.manager.state.boot import load_saved
from opmas.manager.state.database import Databases, Origin
from opmas.manager.state.eventlog import EventLog
from opmas.manager.state.saver import Saver
from opmas.manager.state.writer import Writer
from opmas.store.rows import Query
from tests.builders import spec
from tests.property.model import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.events import Effect

    Step = Callable[[Roster, float], Any]

NAMES: Final = ("api", "db", "log", "mail", "web")
WINDOW: Final = 60.0
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The manager is gone; not an Exception, which the writer would survive."""


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now)

    def at(self, monotonic: float) -> datetime:
        return BEGIN + timedelta(seconds=monotonic)


class Site:
    """The host: units in their worlds, a database, and a manager that may be killed."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.worlds = {name: World() for name in NAMES}
        self.fuse: int | None = None  # steps until the next kill; None: none is to come
        self.kills = 0
        self.ended: set[str] = set()  # agents that somebody, or they themselves, ended on purpose
        self._path = path
        self._doing: list[RunTask] = []
        self._answers: list[tuple[str, events.Event]] = []
        self._databases = Databases(path / "manager.db", self.clock)  # type: ignore[arg-type]
        self.writer: Writer
        self._boot(same_boot=False)
        for name in NAMES:
            wanted = spec(name, package="nap", version="1.0", desired=Desired.RUNNING)
            self.ask(_put(wanted))
        self.rest()

    # ---- the manager ----

    def _boot(self, *, same_boot: bool) -> None:
        """Start a manager: it loads what was saved, and looks at every unit."""
        self._databases.close()
        self._databases = Databases(self._path / "manager.db", self.clock)  # type: ignore[arg-type]
        opened = self._databases.open(Problems(lambda _kind, _data: None), self._databases.look())
        self._quick()
        saved = load_saved(
            self._databases, _NoFiles(), Roster(concurrency=2), self.clock,  # type: ignore[arg-type]
            opened=opened, same_boot=same_boot,
        )  # fmt: skip
        saver = Saver(self._databases, saved.records, saved.stamps)
        if opened is None or opened.origin is not Origin.KEPT:
            saver.save_everything()
        log = EventLog("sim", lambda: self._databases.current)
        problems = Problems(lambda _kind, _data: None)
        clock: Any = self.clock
        self.writer = Writer(saved.roster, saver, log, problems, clock, lambda _spec: "digest")
        self.writer.carry_out = self._carry_out
        for name in list(saved.roster.agents):
            state = self.worlds[name].look().state
            self.writer.post(name, events.Resumed(state, same_boot=same_boot))

    def _quick(self) -> None:
        """Let a save not wait for the disk, and be a step of its own."""
        database = self._databases.current
        assert database is not None
        database._connection.execute("PRAGMA synchronous = OFF")
        save = database.save

        def counted(batch: Any) -> Any:
            self._step()  # before it: lost whole
            numbers = save(batch)
            self._step()  # after it: saved, and nothing followed
            return numbers

        database.save = counted  # type: ignore[method-assign]

    def _step(self) -> None:
        if self.fuse is None:
            return
        self.fuse -= 1
        if self.fuse <= 0:
            raise Killed

    def survive(self, deed: Callable[[], object]) -> None:
        """Do it; a manager that is killed meanwhile is followed by the next, as often as it is."""
        with contextlib.suppress(OpmasError):
            try:
                deed()
            except Killed:
                self._rise()

    def _rise(self, *, same_boot: bool = True) -> None:
        self.kills += 1
        self.fuse = None
        self._doing.clear()
        self._answers.clear()
        for world in self.worlds.values():
            world.told.clear()
        self._boot(same_boot=same_boot)
        self.writer.flush()

    def kill(self, *, power: bool = False) -> None:
        """Kill the manager now, and with `power` the host."""
        if power:
            self.ended.clear()
            for world in self.worlds.values():
                world.reboot()
        self._rise(same_boot=not power)

    # ---- what is asked of it ----

    def ask(self, step: Step) -> None:
        self.writer.post_step(step)
        self.writer.flush()

    def command(self, name: str, command: events.Command) -> None:
        self.ask(lambda r, now: roster.step(r, name, command, now))
        self.ended.discard(name)  # not if that was lost: it is held on then

    def update(self, name: str, version: str) -> None:
        change = plan.update(self.agent(name).spec, version, author="ann", wanted=WINDOW)
        self.ask(lambda r, _now: engine.propose(r, change))

    def configure(self, name: str, naps: int) -> None:
        known = self.agent(name).spec
        wanted = replace(known, config={"naps": naps})
        change = plan.put(known, wanted, author="ann", lives=True)
        if change is not None:
            self.ask(lambda r, _now: engine.propose(r, replace(change, window=WINDOW)))

    def agent(self, name: str) -> Any:
        return self.writer.roster.get(name)

    # ---- the shell and the host ----

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._step()
            match effect:
                case StartUnit(agent=name, reset=reset):
                    if reset:
                        self.worlds[name].reset_failed()
                    self._answers.append((name, events.JobIssued(self.worlds[name].start())))
                case StopUnit(agent=name):
                    self._answers.append((name, events.JobIssued(self.worlds[name].stop())))
                case RunTask():
                    self._check_saved(effect)
                    assert effect not in self._doing, "a task is begun twice"
                    self._doing.append(effect)
                case Forget(agent=name):
                    self.writer.post_step(_forgotten(name))
                case Measure(change=id_):
                    self.writer.post_step(_measured(id_, self._sightings()))
                case _:
                    pass

    def _check_saved(self, task: RunTask) -> None:
        """What is done now is what the database says is being done: a kill would find it."""
        database = self._databases.current
        assert database is not None
        row = database.change(task.change)
        assert row is not None, "a task of a change that nobody saved"
        state = row.document["tasks"][task.task]["state"]
        assert state == (TaskState.UNDOING if task.undo else TaskState.DOING)

    def deliver(self) -> None:
        """Let the manager hear what happened, until nothing more does."""
        for _ in range(500):
            if self._answers:
                name, event = self._answers.pop(0)
            else:
                name = next((n for n, w in self.worlds.items() if w.told), "")
                if not name:
                    break
                event = self.worlds[name].told.pop(0)
            self._step()
            self.writer.post(name, event)
            self.writer.flush()
        while self._doing:
            self._answer(self._doing.pop(0))

    def _answer(self, task: RunTask) -> None:
        self._step()
        change = self.writer.roster.changes.get(task.change)
        if change is None:
            return
        is_check = change.tasks[task.task].name is TaskName.CHECK
        told = {
            "ok": True, "code": "", "message": "", "problems": (),
            "result": {"window": WINDOW} if is_check else {}, "undo": task.undo,
        }  # fmt: skip
        self.ask(lambda r, now: engine.task_ended(r, task.change, task.task, told, now))

    def wait(self, seconds: float) -> None:
        """Let time pass, and whoever is watched be looked at."""
        self.clock.now += seconds
        for id_, change in list(self.writer.roster.changes.items()):
            if change.state is ChangeState.WATCHING:
                self.ask(_sighted(id_, self._sightings()))
        self.ask(lambda r, _now: (r, ()))

    def rest(self) -> None:
        """Let all come to its end: the fuse is out, time passes, everything is heard."""
        self.fuse = None
        for _ in range(80):
            for world in self.worlds.values():
                world.goes_on("ready")
            self.deliver()
            self.wait(WINDOW / 2)

    def _sightings(self) -> dict[str, Any]:
        agents = self.writer.roster.agents
        return {name: sight(a, self.clock.now) for name, a in agents.items()}

    # ---- what must hold when all is at rest ----

    def changes(self) -> list[Change]:
        return list(self.writer.roster.changes.values())

    def sequences(self) -> list[int]:
        database = self._databases.current
        assert database is not None
        return [e.sequence for e in database.events(Query(after=0, limit=1_000_000))]

    def unfinished(self) -> list[str]:
        doing = {TaskState.DOING, TaskState.UNDOING}
        return [
            f"change {c.id}: {c.state}"
            for c in self.changes()
            if not c.is_final or any(t.state in doing for t in c.tasks)
        ]

    def close(self) -> None:
        self._databases.close()


def _put(wanted: AgentSpec) -> Step:
    return lambda r, now: roster.put(r, wanted, now)


def _forgotten(name: str) -> Step:
    return lambda r, _now: (roster.remove(r, name), ())


def _measured(id_: int, seen: dict[str, Any]) -> Step:
    return lambda r, _now: (watching.measured(r, id_, seen), ())


def _sighted(id_: int, seen: dict[str, Any]) -> Step:
    around = {name: Surroundings() for name in seen}
    return lambda r, now: watching.sighted(r, id_, seen, around, now)


class _NoFiles:
    """No agent has files here: nothing is rebuilt from them."""

    def exist(self) -> bool:
        return False

    def saved_specs(self) -> list[Any]:
        return []
