"""Which of an agent's activities stand still: what the watchdog is fed by.

An activity (run, on_event, a worker…) is busy, resting, or resting with something due:

    busy             alive while its last progress is younger than its stall limit
    resting          alive: nothing is to be done
    resting, due     alive until its stall limit after the due time: by then it must have begun

No clock and no I/O: every method is told `now`. A worker thread may call `advance`, `begin` and
`rest` of its own activity while the loop asks: each is one assignment, which the interpreter does
in one piece.
"""

from __future__ import annotations

NEVER = float("inf")


class Progress:
    """The activities of one agent, each with the time by which it must have moved."""

    __slots__ = ("_busy", "_due", "last_at", "steps")

    def __init__(self) -> None:
        self._busy: dict[str, tuple[float, float]] = {}  # name -> (last progress, stall limit)
        self._due: dict[str, float] = {}  # name -> the time by which it must have begun
        self.steps = 0  # pieces of work that were done
        self.last_at: float | None = None

    def begin(self, name: str, now: float, stall_after: float) -> None:
        """Note that the activity is busy from now on."""
        self._due.pop(name, None)
        self._busy[name] = (now, stall_after)

    def advance(self, name: str, now: float) -> None:
        """Note that a busy activity has got on; nothing for one that rests."""
        entry = self._busy.get(name)
        if entry is not None:
            self._busy[name] = (now, entry[1])

    def done(self, now: float) -> None:
        """Note that a piece of work is done: a round, an event, what `progress()` tells."""
        self.steps += 1
        self.last_at = now

    def rest(self, name: str) -> None:
        """Note that the activity has nothing to do."""
        self._busy.pop(name, None)
        self._due.pop(name, None)

    def rest_until(self, name: str, due: float, stall_after: float) -> None:
        """Note that the activity rests, and is to begin again at `due`."""
        self._busy.pop(name, None)
        self._due[name] = due + stall_after

    def is_busy(self, name: str) -> bool:
        """Return whether the activity is at work."""
        return name in self._busy

    def stuck(self, now: float) -> list[str]:
        """Return each busy activity that has not got on within its limit, with for how long."""
        return [
            f"{name}: no progress for {now - last:.1f} s (limit {limit:.1f} s)"
            for name, (last, limit) in list(self._busy.items())
            if now >= last + limit
        ]

    def late(self, now: float) -> list[str]:
        """Return each activity that was due and has not begun within its limit."""
        return [
            f"{name}: due, but not begun for {now - by:.1f} s beyond its limit"
            for name, by in list(self._due.items())
            if now >= by
        ]

    def next_deadline(self) -> float:
        """Return when the next activity would count as stuck."""
        return min((last + limit for last, limit in list(self._busy.values())), default=NEVER)
