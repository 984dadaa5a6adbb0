"""Tells the kernel's kill for memory from any other SIGKILL, where systemd does not.

On cgroup v2 systemd says oom-kill by itself. On v1 it says signal, and removes the control group
with its counters before anybody could look. The kernel also counts all such kills of the machine,
before it sends the signal: a main process that was killed by SIGKILL just when that count grew was
killed for memory. Each kill is attributed once, so one by hand in the same seconds stays one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opmas.core.exits import CLD_KILLED
from opmas.host.oomkills import read_oom_kills

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.unit import UnitState

SIGKILL: Final = 9
FRESH: Final = 5.0  # seconds in which a kill shows as a unit's state, on a busy machine too
RESULT: Final = "oom-kill"


class OomKills:
    """Looks at the count from time to time, and when a unit's main process was killed."""

    def __init__(
        self,
        read: Callable[[], int | None] = read_oom_kills,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._count = read()
        self._kills: list[float] = []  # when each was noticed that is not attributed
        self._judged: dict[str, tuple[float, bool]] = {}  # by unit: the exit, and what it was

    def look(self) -> None:
        """Take note of kills since the last look."""
        count, now = self._read(), self._clock()
        self._kills = [at for at in self._kills if now - at <= FRESH]
        if count is not None and self._count is not None:
            self._kills += [now] * min(count - self._count, 1000)
        self._count = count

    def judged(self, state: UnitState) -> UnitState:
        """Return the state with the result that systemd 252 would give it on cgroup v2."""
        if not _was_killed(state):
            return state
        known = self._judged.get(state.unit)
        if known is None or known[0] != state.exec_main_exit_at:
            known = (state.exec_main_exit_at, self._attribute())
            self._judged[state.unit] = known
        return replace(state, result=RESULT) if known[1] else state

    def forget(self, unit: str) -> None:
        """Forget a unit that is not loaded any more."""
        self._judged.pop(unit, None)

    def _attribute(self) -> bool:
        self.look()
        if not self._kills:
            return False
        self._kills.pop(0)
        return True


def _was_killed(state: UnitState) -> bool:
    return (
        state.result == "signal"
        and state.exec_main_code == CLD_KILLED
        and state.exec_main_status == SIGKILL
    )
