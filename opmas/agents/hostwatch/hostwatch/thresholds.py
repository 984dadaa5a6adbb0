"""When a value has crossed a threshold: a level to raise at, one to clear at, and a time to hold.

Pure. `step` is the whole: between the two levels nothing ever happens (hysteresis), and raised
and cleared always alternate. Whether high or low is bad follows from the order of the levels.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple


class Rule(NamedTuple):
    """Raise when a value is at `raise_at` or beyond for `hold` seconds; clear at `clear_at`."""

    raise_at: float
    clear_at: float
    hold: float = 0.0

    def raises(self, value: float) -> bool:
        """Tell whether the value is at the level to raise at, or worse."""
        below = self.raise_at < self.clear_at
        return value <= self.raise_at if below else value >= self.raise_at

    def clears(self, value: float) -> bool:
        """Tell whether the value is at the level to clear at, or better."""
        below = self.raise_at < self.clear_at
        return value >= self.clear_at if below else value <= self.clear_at


class State(NamedTuple):
    """Of one value: whether it is raised, and since when it is beyond the level to raise at."""

    is_raised: bool = False
    since: float | None = None


class Change(Enum):
    """What happened to a threshold."""

    RAISED = "threshold.crossed"
    CLEARED = "threshold.cleared"


class Crossing(NamedTuple):
    """A threshold was crossed: which way, by what value, and since when it had been beyond it.

    A threshold whose object is gone is cleared by no value.
    """

    change: Change
    value: float | None
    level: float
    since: float


CALM = State()


def step(
    state: State, rule: Rule, value: float | None, now: float
) -> tuple[State, Crossing | None]:
    """Return the state after `value` was read at `now`, and the crossing when there was one.

    None means the value could not be read: what is raised stays so, and what was about to be has
    not held.
    """
    if value is None or math.isnan(value):
        return (state if state.is_raised else CALM), None
    since = now if state.since is None else state.since
    if state.is_raised:
        if rule.clears(value):
            return CALM, Crossing(Change.CLEARED, value, rule.clear_at, since)
        return state, None
    if not rule.raises(value):
        return CALM, None
    if now - since < rule.hold:
        return State(is_raised=False, since=since), None
    raised = State(is_raised=True, since=since)
    return raised, Crossing(Change.RAISED, value, rule.raise_at, since)
