"""What an agent has to do next, and when: pure, told the time.

A step is wanted at a time, is then begun, and ended; while it is busy it is not begun again.
The loops carry the steps out: the plain one in a row, the asyncio one side by side.
"""

from __future__ import annotations

import enum
from collections import deque

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from typing import Any

    from opmas.agent.link import Offer
    from opmas.agent.progress import Progress

NEVER = float("inf")
# Events that were delivered and not yet handled; the oldest go first.
QUEUE_EVENTS = 1000


class Step(enum.StrEnum):
    """A method of the author's class that the SDK calls again and again, in order of urgency."""

    CONFIG = "on_config"
    EVENT = "on_event"
    HEALTH = "check_health"
    RUN = "run"


class Agenda:
    """The steps that are wanted, and the events and configurations that wait for theirs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._wanted: dict[Step, float] = {}
        self._busy: set[Step] = set()
        self.events: deque[dict[str, Any]] = deque()
        self.offers: deque[Offer] = deque()
        self.events_dropped = 0

    def want(self, step: Step, at: float, stall_after: float) -> None:
        """Note that the step is to begin at that time."""
        self._wanted[step] = at
        if step not in self._busy:
            self._progress.rest_until(step.value, at, stall_after)

    def want_sooner(self, step: Step, at: float) -> None:
        """Have a step that waits begin at that time, if it would be later."""
        if step in self._wanted:
            self._wanted[step] = min(self._wanted[step], at)

    def due(self, now: float) -> list[Step]:
        """Return the steps to begin now, the most urgent first."""
        return [s for s in Step if s not in self._busy and self._wanted.get(s, NEVER) <= now]

    def begin(self, step: Step, now: float, stall_after: float) -> None:
        """Note that the step has begun."""
        self._wanted.pop(step, None)
        self._busy.add(step)
        self._progress.begin(step.value, now, stall_after)

    def end(self, step: Step) -> None:
        """Note that the step has ended."""
        self._busy.discard(step)
        self._progress.rest(step.value)

    def next_at(self) -> float:
        """Return when the next step is to begin."""
        return min((at for s, at in self._wanted.items() if s not in self._busy), default=NEVER)

    def is_wanted(self, step: Step) -> bool:
        """Return whether the step waits for its time or is at work."""
        return step in self._wanted or step in self._busy

    def add_event(self, event: dict[str, Any]) -> None:
        """Queue a delivered event; when there are too many, the oldest that waits is dropped."""
        self.events.append(event)
        if len(self.events) > QUEUE_EVENTS:
            del self.events[1 if Step.EVENT in self._busy else 0]
            self.events_dropped += 1
