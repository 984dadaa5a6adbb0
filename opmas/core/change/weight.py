"""How many exits are too many: by what each of them proves, and by the habit of the agent."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from opmas.core.change.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opmas.core.change.evidence import Exit

STEADY: Final = 0.01  # exits that the window would have seen by the agent's habit: below, none
HABIT: Final = 3.0  # times as much as before is clearly more


class Weight(StrEnum):
    """How much one exit proves, from most to least."""

    FINAL = "the program says that no other start can help (status 78)"
    PLAIN = "it hung, was killed for its memory, or ended after it had served for 3 seconds"
    EARLY = "it ended while it came up, or within 3 seconds after"
    SENT = "it was ended by SIGKILL, SIGTERM, SIGINT or SIGHUP, which others send"


# How many exits undo a change: of an agent that never ended by itself before, and how many more
# than its habit (`many`) of one that did. Exits that prove more count for those below, too.
EXITS: Final[Mapping[Weight, tuple[int, int]]] = {
    Weight.FINAL: (1, 1),
    Weight.PLAIN: (1, 2),
    Weight.EARLY: (2, 2),
    Weight.SENT: (2, 3),
}


def weight(exited: Exit) -> Weight:
    """Return how much the exit proves."""
    if exited.cause is Cause.CONFIG_ERROR:
        return Weight.FINAL
    if exited.sent:
        return Weight.SENT
    soft = exited.cause in {Cause.EXITED, Cause.FAILED_TO_START, Cause.CRASH_LOOP}
    return Weight.EARLY if exited.early and soft else Weight.PLAIN


def needed(kind: Weight, expected: float) -> int:
    """Return how many exits of an agent are too many, when `expected` are its habit."""
    steady, unsteady = EXITS[kind]
    if kind is Weight.FINAL or expected < STEADY:
        return steady
    return unsteady + math.floor(HABIT * expected)


def too_many(exits: Sequence[Exit], expected: float) -> bool:
    """Return whether the exits are more than a change may cause."""
    seen = 0
    for kind in Weight:
        seen += sum(1 for each in exits if weight(each) is kind)
        if seen >= needed(kind, expected):
            return True
    return False
