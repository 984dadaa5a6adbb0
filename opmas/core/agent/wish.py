"""What is wanted of an agent from now on: by a command, by a new boot."""

from __future__ import annotations

from dataclasses import replace

from opmas.core import events
from opmas.core.agent.state import DOWN, Agent, Pending, Then, fact
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.health.damping import STEADY
from opmas.core.health.vitals import NOTHING_LEARNED


def wish(agent: Agent, command: events.Command) -> Agent:
    """Return the agent with what the operator now wants; every command ends a hold."""
    starts = isinstance(command, events.Start | events.Restart)
    desired = Desired.RUNNING if starts else Desired.STOPPED
    spec = replace(agent.spec, desired=desired)
    return replace(
        agent,
        spec=spec,
        then=_then(agent, command),
        held=False,
        failures=0,
        failing_since=None,
        refusals=0,
        remedy=None,
        retry_at=None,
        message="",
    )


def _then(agent: Agent, command: events.Command) -> Then:
    match command:
        case events.Start():
            goes_down = agent.phase is Phase.STOPPING or fact(agent.unit) in DOWN
            waits = agent.pending in {Pending.QUEUED, Pending.START}
            return Then.START if goes_down and not waits else Then.NOTHING
        case events.Restart():
            return Then.START
        case events.Stop():
            return Then.NOTHING
        case events.Remove(purge=purge):
            return Then.PURGE if purge else Then.REMOVE


def was_starting(agent: Agent) -> bool:
    """Return whether the agent was to be started when the manager went away."""
    if agent.pending in {Pending.QUEUED, Pending.START}:
        return True
    return agent.phase is Phase.REGISTERED and agent.spec.desired is Desired.RUNNING


def booted(agent: Agent, now: float) -> Agent:
    """Return the agent at a new boot: holds and failures are over, quarantine is not."""
    agent = replace(
        agent, since=now, held=False, retry_at=None, settle_at=None, message="",
        vitals=NOTHING_LEARNED, damping=STEADY, well_since=None, renewed_at=None, remedy=None,
    )  # fmt: skip
    if agent.then in {Then.REMOVE, Then.PURGE} or agent.phase is Phase.QUARANTINED:
        return replace(agent, pending=Pending.NOTHING)
    wanted = agent.spec.desired is Desired.RUNNING
    agent = replace(agent, then=Then.NOTHING, failures=0, failing_since=None, refusals=0)
    if agent.paused:
        return replace(agent, pending=Pending.NOTHING, phase=Phase.STOPPED, reason=Reason.CHANGE)
    if not wanted:
        return replace(
            agent, pending=Pending.NOTHING, phase=Phase.STOPPED, reason=Reason.REQUESTED
        )
    return replace(agent, pending=Pending.QUEUED, phase=Phase.STARTING, reason=Reason.BOOT)
