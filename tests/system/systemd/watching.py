"""Events of units, collected while a test acts."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TypeVar

from opmas.core.agent.terms import unit_name
from opmas.ports import JobRemoved, Resynced, UnitChanged, UnitGone

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.unit.state import UnitState
    from opmas.ports import UnitEvent, Units

E = TypeVar("E")
PATIENCE = 15.0  # seconds


class Watch:
    """All events since it began."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._news = asyncio.Condition()
        self.events: list[UnitEvent] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._collect())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _collect(self) -> None:
        async for event in self._units.events():
            async with self._news:
                self.events.append(event)
                self._news.notify_all()

    async def until(self, condition: Callable[[], object], patience: float = PATIENCE) -> None:
        """Wait until the condition holds; it is looked at after each event."""
        try:
            async with asyncio.timeout(patience), self._news:
                await self._news.wait_for(lambda: bool(condition()))
        except TimeoutError:
            units = {name for event in self.events[-20:] for name in _names(event)}
            seen = {
                unit: [w for e in self.events for w in _words(e, unit)][-12:] for unit in units
            }
            raise AssertionError(f"not seen; what was, at last: {seen}") from None

    async def until_told(self, agent: str, *words: str) -> UnitState:
        """Wait until these words follow each other in the agent's story; return its last state."""
        await self.until(lambda: f",{','.join(words)}," in f",{','.join(self.story(agent))},")
        return self.states(agent)[-1]

    async def until_resynced(self, count: int = 1) -> Resynced:
        """Wait for so many full checks, counted from the beginning, and return the last one."""
        await self.until(lambda: len(self.of(Resynced)) >= count)
        return self.of(Resynced)[-1]

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    def states(self, agent: str) -> list[UnitState]:
        """Return the states that the agent's unit passed through."""
        changes = [change for change in self.of(UnitChanged) if change.unit == unit_name(agent)]
        return [state for change in changes for state in change.states]

    def last_states(self) -> dict[str, UnitState]:
        """Return what was last told of each unit."""
        return {change.unit: change.states[-1] for change in self.of(UnitChanged)}

    def jobs(self, agent: str) -> list[tuple[int, str]]:
        """Return the jobs of the agent's unit that ended, and how."""
        unit = unit_name(agent)
        return [(job.job_id, job.result) for job in self.of(JobRemoved) if job.unit == unit]

    def story(self, agent: str) -> list[str]:
        """Return what happened to the agent in short words; a "*" stands for a pending job.

        Like `["inactive*", "activating*", "active*", "job done", "active"]`, and without what only
        repeats the word before.
        """
        words = [word for event in self.events for word in _words(event, unit_name(agent))]
        return [word for before, word in pairwise(["", *words]) if word != before]


def _names(event: UnitEvent) -> set[str]:
    name = getattr(event, "unit", None)
    return {name} if name is not None else set()


def _words(event: UnitEvent, unit: str) -> list[str]:
    match event:
        case UnitChanged(states) if event.unit == unit:
            return [_short(state) for state in states]
        case JobRemoved(name, _, result) if name == unit:
            return [f"job {result}"]
        case UnitGone(name) if name == unit:
            return ["gone"]
    return []


def _short(state: UnitState) -> str:
    word = "auto-restart" if state.sub_state.startswith("auto-restart") else state.active_state
    return f"{word}*" if state.job_id else word
