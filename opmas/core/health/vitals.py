"""The facts that an agent's health rests on, each with the instant at which it was learned.

Pure values: `assessment.py` says what follows from them. Instants are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opmas.core.health.report import Report


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
class Traits:
    """What an agent's package says of how its health is told.

    `watchdog` is its period in seconds, 0 without one; `check` says that it is probed, `liveness`
    that one which fails its probe is started again.
    """

    watchdog: float = 0.0
    check: bool = False
    liveness: bool = False


NO_TRAITS: Final = Traits()


@dataclass(frozen=True, slots=True)
class Advance:
    """How many pieces of work an agent has got through in this run, and when the last."""

    steps: int
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Lack:
    """An agent that this one requires and that does not serve; `why` in words."""

    agent: str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was last learned of one agent beside its unit's state; None: nothing yet."""

    reported: Said | None = None  # its own check_health()
    probed: Said | None = None  # its probe, of an exec agent
    passed: bool = False  # its probe has succeeded in this run
    linked: bool | None = None  # whether it is heard on the manager's socket
    linked_at: float = 0.0
    signs: tuple[Sign, ...] = ()
    signs_at: float = 0.0
    advance: Advance | None = None
    exits: tuple[float, ...] = ()  # the last times that it ended by itself
    hung_at: float | None = None  # when its watchdog last ran out
    lacks: tuple[Lack, ...] = ()
    traits: Traits = NO_TRAITS
    package: str = ""  # the digest of the one that it was of, when last seen
    run: str = ""  # systemd's invocation ID of the run that all of this is of


NOTHING_LEARNED: Final = Vitals()


def of_new_run(vitals: Vitals) -> Vitals:
    """Return what still holds when the agent's process is another: nothing that it said."""
    return replace(vitals, reported=None, probed=None, passed=False, advance=None)
