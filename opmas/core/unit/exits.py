"""How a process ended, in words."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from opmas.core.unit.state import UnitState

CLD_EXITED, CLD_KILLED, CLD_DUMPED = 1, 2, 3  # siginfo codes, waitid(2)
CODES: Final = {CLD_EXITED: "exited", CLD_KILLED: "killed", CLD_DUMPED: "dumped"}

# The SDK's exit status for "do not restart me": EX_CONFIG of sysexits(3); the template names it
# in RestartPreventExitStatus=.
EXIT_CONFIG: Final = 78


def gives_up(unit: UnitState, statuses: Collection[int] = (EXIT_CONFIG,)) -> bool:
    """Return whether the program said, by one of these, that starting it again cannot help."""
    return unit.exec_main_code == CLD_EXITED and unit.exec_main_status in statuses


def code_name(unit: UnitState) -> str:
    """Return how the main process ended: exited, killed or dumped."""
    return CODES.get(unit.exec_main_code, "unknown")


def signal_of(unit: UnitState) -> str | None:
    """Return the name of the signal that ended the main process, or None when it exited."""
    if unit.exec_main_code not in {CLD_KILLED, CLD_DUMPED}:
        return None
    try:
        return signal.Signals(unit.exec_main_status).name
    except ValueError:  # a real-time signal has no name here
        return f"signal {unit.exec_main_status}"


def exit_text(unit: UnitState) -> str:
    """Return how the main process ended, such as `was killed by SIGKILL`."""
    killer = signal_of(unit)
    return (
        f"exited with status {unit.exec_main_status}"
        if killer is None
        else f"was killed by {killer}"
    )
