"""Tells the kernel's kill for memory from any other SIGKILL, where systemd does not.

On cgroup v2 systemd says oom-kill by itself. On v1 it says signal, and removes the control group
with its counters before anybody could look. But the kernel counts all such kills of the machine,
before it sends the signal. A main process that SIGKILL ended just when that count grew was killed
for memory. So the count is read five times a second there, which takes 0.03 % of a core, and each
kill is attributed once: one by hand is taken for one of the kernel's only when another program was
killed for memory in the same two seconds, and that one's end is told later.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.unit.exits import CLD_KILLED
from opmas.host.oomkills import read_oom_kills

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.unit.state import UnitState

SIGKILL: Final = 9
PERIOD: Final = 0.2  # seconds
# Seconds that a killed process may take to be gone, with all of its memory: systemd's instant of
# its end is so much later than the kernel's count. Half a second was too short on a busy host.
DYING: Final = 2.0
LATE: Final = 10.0  # seconds after which nobody asks for a kill any more
RESULT: Final = "oom-kill"


@dataclass(frozen=True, slots=True)
class _Kills:
    """The count grew between the two instants, seconds since 1970."""

    after: float
    before: float
    count: int


class OomKills:
    """Watches the count, and judges how a unit's main process ended."""

    def __init__(
        self,
        read: Callable[[], int | None] = read_oom_kills,
        clock: Callable[[], float] = time.time,
        *,
        needed: bool = True,
    ) -> None:
        self._read = read
        self._clock = clock
        self._needed = needed  # systemd does not say it itself
        self._count = read()
        self._looked_at = clock()
        self._kills: list[_Kills] = []
        self._judged: dict[str, tuple[float, bool]] = {}  # by unit: the exit, and what it was

    async def run(self) -> None:
        """Watch until cancelled."""
        while self._needed and self._count is not None:
            self.look()
            await asyncio.sleep(PERIOD)
        await asyncio.Event().wait()

    def look(self) -> None:
        """Take note of kills since the last look."""
        count, now = self._read(), self._clock()
        self._kills = [kills for kills in self._kills if abs(now - kills.before) <= LATE]
        if count is not None and self._count is not None and count > self._count:
            self._kills.append(_Kills(self._looked_at, now, count - self._count))
        self._count, self._looked_at = count, now

    def judged(self, state: UnitState) -> UnitState:
        """Return the state with the result that systemd would give it on cgroup v2."""
        if not (self._needed and _was_killed(state)):
            return state
        known = self._judged.get(state.unit)
        if known is None or known[0] != state.exec_main_exit_at:
            known = (state.exec_main_exit_at, self._attribute(state.exec_main_exit_at))
            self._judged[state.unit] = known
        return replace(state, result=RESULT) if known[1] else state

    def _attribute(self, ended_at: float) -> bool:
        self.look()
        for position, kills in enumerate(self._kills):
            if kills.after <= ended_at <= kills.before + DYING:
                left = replace(kills, count=kills.count - 1)
                self._kills[position : position + 1] = [left] if left.count else []
                return True
        return False


def _was_killed(state: UnitState) -> bool:
    return (
        state.result == "signal"
        and state.exec_main_code == CLD_KILLED
        and state.exec_main_status == SIGKILL
    )
