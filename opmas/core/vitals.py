"""The facts that an agent's health rests on, each with the instant at which it was learned.

Pure values: `assessment.py` says what follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opmas.core.health import Report


@dataclass(frozen=True, slots=True)
class Sign:
    """One way in which an agent is close to what it may use; `code` is from a closed list."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A report and when it came, in monotonic seconds."""

    report: Report
    at: float


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was last learned of one agent beside its unit's state; None: nothing yet."""

    reported: Said | None = None  # its own check_health()
    probed: Said | None = None  # its probe, of an exec agent
    linked: bool | None = None  # whether it is connected to the manager's socket
    linked_at: float = 0.0
    signs: tuple[Sign, ...] = ()
    signs_at: float = 0.0


NOTHING_LEARNED: Final = Vitals()
