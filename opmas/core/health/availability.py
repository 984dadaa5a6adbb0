"""How long an agent was in which state, and what share of the time it served: from its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SERVES: Final = frozenset({"running", "reloading"})


@dataclass(frozen=True, slots=True)
class State:
    """What held from `at` on, in seconds since 1970, until the next state."""

    at: float
    phase: str
    health: str


@dataclass(frozen=True, slots=True)
class Spell:
    """A state within a window of time."""

    state: State
    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.until - self.since


def spells(states: Sequence[State], since: float, until: float) -> list[Spell]:
    """Return what held in the window, piece by piece; before the first state nothing is known.

    The clock may have been set back between two states: a piece is never shorter than nothing.
    """
    found = []
    for number, state in enumerate(states):
        later = states[number + 1].at if number + 1 < len(states) else until
        begin, end = max(state.at, since), min(later, until)
        if end > begin or (end == begin and number + 1 == len(states)):
            found.append(Spell(state, begin, end))
    return found


def durations(pieces: Iterable[Spell]) -> dict[tuple[str, str], float]:
    """Return the seconds in each phase and health, the longest first."""
    found: dict[tuple[str, str], float] = {}
    for piece in pieces:
        key = (piece.state.phase, piece.state.health)
        found[key] = found.get(key, 0.0) + piece.seconds
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def availability(pieces: Iterable[Spell]) -> float | None:
    """Return the share of the known time in which it ran and was healthy; None: none is known."""
    told = durations(pieces)
    known = sum(told.values())
    if known <= 0:
        return None
    well = sum(s for (phase, health), s in told.items() if is_well(phase, health))
    return min(well / known, 1.0)


def is_well(phase: str, health: str) -> bool:
    """Return whether that counts as available."""
    return phase in SERVES and health == "healthy"
