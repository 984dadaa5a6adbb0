"""What reaches the core (commands, observations) and what leaves it (effects).

A `Command` is a wish that may be refused; an `Observation` is a fact that never is. Effects are
carried out by the shell, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opmas.core.agent.terms import Reason
    from opmas.core.health.report import Report
    from opmas.core.health.vitals import Sign
    from opmas.core.unit.state import UnitState


@dataclass(frozen=True, slots=True)
class Start:
    """Run the agent; also releases it from a hold, a failure or quarantine."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the agent and keep it stopped."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Stop the agent and start it with what is on disk now."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Stop the agent and forget it; `purge` also deletes the data that it wrote."""

    purge: bool = False


Command = Start | Stop | Restart | Remove


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """systemd's view of the agent's unit; None when it is not loaded."""

    state: UnitState | None


@dataclass(frozen=True, slots=True)
class Resumed:
    """The first look at the unit after the manager came up."""

    state: UnitState | None
    same_boot: bool


@dataclass(frozen=True, slots=True)
class JobIssued:
    """systemd made this job for a start or stop of ours."""

    job_id: int


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job of the unit ended; `result` as in systemd's JobRemoved signal."""

    job_id: int
    result: str


@dataclass(frozen=True, slots=True)
class CallRefused:
    """systemd did not take our start or stop."""

    reason: Reason
    message: str
    retry: bool = False


@dataclass(frozen=True, slots=True)
class PackageSeen:
    """The agent's package is on the host, or is not."""

    present: bool


@dataclass(frozen=True, slots=True)
class Paused:
    """A change needs the agent down until `Unpaused`, whatever is wanted of it."""


@dataclass(frozen=True, slots=True)
class Unpaused:
    """The change does not need the agent down any more."""


@dataclass(frozen=True, slots=True)
class NeedsUnmet:
    """An agent that this one requires does not run; `message` names it."""

    message: str


@dataclass(frozen=True, slots=True)
class NeedsMet:
    """All that the agent requires runs."""


@dataclass(frozen=True, slots=True)
class Respecified:
    """Its specification is another now; `releases` says that what it failed with is gone."""

    releases: bool = True


@dataclass(frozen=True, slots=True)
class Renew:
    """It runs and does not work, and another agent fails for that: it is restarted.

    Nothing is wanted of it that was not before, and none of its failures is forgotten.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A queued start may go ahead; `digest` identifies what the agent is started with."""

    digest: str


@dataclass(frozen=True, slots=True)
class HealthReported:
    """What the agent, or its probe, says of its health."""

    report: Report


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe of an exec agent found, its thresholds applied."""

    report: Report


@dataclass(frozen=True, slots=True)
class Linked:
    """The agent's connection to the manager was made, or is gone."""

    connected: bool


@dataclass(frozen=True, slots=True)
class Pressed:
    """In which ways the agent is close to what it may use now: told when that changes."""

    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Observation = (
    UnitSeen
    | Resumed
    | JobIssued
    | JobEnded
    | CallRefused
    | PackageSeen
    | Paused
    | Unpaused
    | NeedsUnmet
    | NeedsMet
    | Respecified
    | Renew
    | Turn
    | HealthReported
    | Probed
    | Linked
    | Pressed
    | Tick
)
Event = Command | Observation


@dataclass(frozen=True, slots=True)
class Prepare:
    """Write the agent's files: what it is started with."""

    agent: str


@dataclass(frozen=True, slots=True)
class StartUnit:
    """Ask systemd to start the unit, its failed state forgotten first when `reset`."""

    agent: str
    reset: bool = False


@dataclass(frozen=True, slots=True)
class StopUnit:
    """Ask systemd to stop the unit."""

    agent: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the agent's files, and with `purge` the data that it wrote."""

    agent: str
    purge: bool = False


@dataclass(frozen=True, slots=True)
class Announce:
    """Append to the event log; `subject` is like `agent/web`."""

    type: str
    subject: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """Read what the change's agents use, before anything is done to them."""

    change: int


@dataclass(frozen=True, slots=True)
class RunTask:
    """Do a task of a change, or take it back; what came of it is told to the engine."""

    change: int
    task: int
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Tidy:
    """The change has ended: its copies and files are not needed any more."""

    change: int


@dataclass(frozen=True, slots=True)
class ApplyLimits:
    """Set the agent's limits on its running unit."""

    agent: str


@dataclass(frozen=True, slots=True)
class SendConfig:
    """Give the running agent its new configuration."""

    agent: str


Effect = (
    Prepare
    | StartUnit
    | StopUnit
    | Forget
    | Announce
    | ApplyLimits
    | SendConfig
    | Measure
    | RunTask
    | Tidy
)
