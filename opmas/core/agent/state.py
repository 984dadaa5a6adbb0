"""What is known of one agent, and the table of its phases.

The table is the life cycle: docs/reference/lifecycle.md is generated from it. `lifecycle.py`
says how an event becomes a step in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from opmas.core import events
from opmas.core.agent.terms import AgentSpec, Health, Phase, Reason
from opmas.core.health.assessment import UP, Assessment, assess, own_word
from opmas.core.health.damping import STEADY, Damping
from opmas.core.health.report import Report
from opmas.core.health.vitals import NOTHING_LEARNED, Vitals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.recovery.alteration import Alteration
    from opmas.core.recovery.decided import Decided, Remedy
    from opmas.core.unit.state import UnitState


class Fact(StrEnum):
    """A unit's ActiveState and SubState in the words that matter here."""

    ACTIVATING = "unit activating"
    ACTIVE = "unit active"
    RELOADING = "unit reloading"
    DEACTIVATING = "unit deactivating"
    RESTARTING = "unit auto-restart"
    INACTIVE = "unit inactive"
    FAILED = "unit failed"


class Pending(StrEnum):
    """What is under way for an agent on our side."""

    NOTHING = "nothing"
    QUEUED = "queued"  # waits for its turn to be started
    START = "start"  # systemd was asked to start it
    STOP = "stop"  # systemd was asked to stop it


class Then(StrEnum):
    """What follows when the unit is down after a stop of ours."""

    NOTHING = "nothing"
    START = "start"
    REMOVE = "remove"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: what is wanted, what is observed, and what is under way."""

    spec: AgentSpec
    phase: Phase = Phase.REGISTERED
    reason: Reason = Reason.CREATED
    since: float = 0.0
    message: str = ""  # the cause in the words of whoever refused
    pending: Pending = Pending.NOTHING
    then: Then = Then.NOTHING
    held: bool = False
    failures: int = 0  # times in a row that systemd gave the agent up
    failing_since: float | None = None  # the first of these, in seconds since 1970
    refusals: int = 0  # starts in a row that systemd did not take
    settle_at: float | None = None
    retry_at: float | None = None
    started_with: str = ""  # digest of unit text and package of the present run
    unit: UnitState | None = None
    last_exit: UnitState | None = None  # the unit as it was when the agent last exited by itself
    jobs: frozenset[int] = frozenset()  # jobs of ours since the unit was last up or down
    stop_done: bool = False  # the job of our stop ended, and the unit is still to be seen down
    foreign_job: bool = False  # somebody else's job ended while the unit went down
    package_present: bool = True
    paused: bool = False  # a change needs it down
    let_down: bool = False  # what it requires is down, or was a moment ago
    vitals: Vitals = NOTHING_LEARNED
    damping: Damping = STEADY
    assessment: Assessment | None = None  # as of its last step
    well_since: float | None = None  # it runs, and is not unhealthy, without a break
    forgiven_at: float | None = None  # when its failures are forgotten, if it stays well
    decisions: tuple[Decided, ...] = ()  # the last of the ladder, with what they rest on
    altered: Alteration | None = None  # its last change that can be a cause
    remedy: Remedy | None = None  # to be carried out in the same turn, for it
    renewed_at: float | None = None  # when it was last restarted for another's sake

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.spec.name

    @property
    def reported(self) -> Report | None:
        """What it says itself, or its probe for it; None: nothing yet."""
        return own_word(self)


Cause = Fact | type[events.Command]

LIVE: Final = frozenset({Phase.STARTING, Phase.RUNNING, Phase.RELOADING, Phase.STOPPING})
DOWN: Final = frozenset({Fact.INACTIVE, Fact.FAILED})
RETRIED: Final = frozenset({Phase.BACKOFF, Phase.QUARANTINED})  # the latter by slow probes

COMES_UP: Final[dict[Cause, Phase]] = {
    Fact.ACTIVATING: Phase.STARTING,
    Fact.ACTIVE: Phase.RUNNING,
    Fact.RELOADING: Phase.RELOADING,
    Fact.RESTARTING: Phase.STARTING,
    Fact.DEACTIVATING: Phase.STOPPING,
}
_WAITS: Final[dict[Cause, Phase]] = {
    **COMES_UP,
    events.Start: Phase.STARTING,
    events.Restart: Phase.STARTING,
    events.Stop: Phase.STOPPED,
    events.Remove: Phase.STOPPED,
}
_IS_UP: Final[dict[Cause, Phase]] = {
    **COMES_UP,
    events.Restart: Phase.STOPPING,
    events.Stop: Phase.STOPPING,
    events.Remove: Phase.STOPPING,
    Fact.INACTIVE: Phase.STOPPED,  # after SETTLE
    Fact.FAILED: Phase.BACKOFF,  # after SETTLE; FAILED or QUARANTINED by `recovery.judge`
}

TRANSITIONS: Final[Mapping[Phase, Mapping[Cause, Phase]]] = {
    Phase.REGISTERED: _WAITS,
    Phase.STARTING: {**_IS_UP, events.Start: Phase.STARTING},
    Phase.RUNNING: {**_IS_UP, events.Start: Phase.RUNNING},
    Phase.RELOADING: {**_IS_UP, events.Start: Phase.RELOADING},
    Phase.STOPPING: {**_IS_UP, events.Start: Phase.STOPPING, Fact.FAILED: Phase.STOPPED},
    Phase.STOPPED: _WAITS,
    Phase.BACKOFF: _WAITS,
    Phase.FAILED: _WAITS,
    Phase.QUARANTINED: _WAITS,
}


def fact(unit: UnitState | None) -> Fact:
    """Return what the unit's state means; a unit that is not loaded is inactive."""
    if unit is None:
        return Fact.INACTIVE
    if unit.sub_state in {"auto-restart", "auto-restart-queued", "failed-before-auto-restart"}:
        return Fact.RESTARTING  # the last two are systemd 257's words
    facts = {
        "activating": Fact.ACTIVATING,
        "active": Fact.ACTIVE,
        "reloading": Fact.RELOADING,
        "refreshing": Fact.RELOADING,
        "deactivating": Fact.DEACTIVATING,
        "failed": Fact.FAILED,
    }
    return facts.get(unit.active_state, Fact.INACTIVE)


def health(agent: Agent) -> Report:
    """Return the agent's health as of its last step: unknown unless it runs."""
    if agent.phase not in UP:
        return Report(Health.UNKNOWN)
    assessment = agent.assessment or assess(agent, agent.since)
    said = agent.vitals.reported
    checks = () if said is None else said.report.checks
    return Report(assessment.status, assessment.message, checks)


def may_be_tried(agent: Agent) -> bool:
    """Return whether the agent is tried again by itself when it is time, and can be."""
    return agent.phase in RETRIED and not agent.paused and agent.package_present


def deadline(agent: Agent) -> float | None:
    """Return when the agent wants a `Tick`, or None."""
    retry_at = agent.retry_at if may_be_tried(agent) else None
    due = None if agent.assessment is None else agent.assessment.due
    times = (agent.settle_at, retry_at, agent.forgiven_at, due)
    return min((at for at in times if at is not None), default=None)
