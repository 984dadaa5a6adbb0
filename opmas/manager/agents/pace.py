"""How often agents report: the more of them there are, the less often each.

What an agent tells without being asked, its health and its metrics, wakes the manager. With a
thousand agents at their own pace that would be a hundred times a second, most of what an idle
manager does.
"""

from __future__ import annotations

from typing import Final

OWN: Final = 0.0  # seconds; each as often as it likes
# Above so many agents, no more often than that; never less often than the protocol asks for.
STEPS: Final = ((600, 60.0), (300, 30.0))
KEPT: Final = 0.8  # of a bound: below it the step is left again, so that it does not go to and fro


def pace(agents: int, present: float) -> float:
    """Return the least seconds between two reports of an agent; `present` is what holds now."""
    for bound, seconds in STEPS:
        if agents > (bound * KEPT if present == seconds else bound):
            return seconds
    return OWN
