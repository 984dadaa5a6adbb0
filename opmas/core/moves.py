"""Moves of one agent that several parts of the life cycle make: into a phase, into the queue."""

from __future__ import annotations

from dataclasses import replace

from opmas.core.agent import Phase, Reason
from opmas.core.state import Agent, Pending, Then
from opmas.core.vitals import of_new_run


def queue(agent: Agent, reason: Reason, now: float) -> Agent:
    """Return the agent waiting for its turn to be started."""
    agent = replace(
        agent, pending=Pending.QUEUED, then=Then.NOTHING, retry_at=None, settle_at=None
    )
    return enter(agent, Phase.STARTING, reason, now)


def enter(agent: Agent, phase: Phase, reason: Reason, now: float) -> Agent:
    """Return the agent in that phase, since now unless it was there for that reason."""
    if phase is agent.phase and reason is agent.reason:
        return agent
    if phase in {Phase.STARTING, Phase.STOPPED}:
        agent = replace(agent, vitals=of_new_run(agent.vitals))
    return replace(agent, phase=phase, reason=reason, since=now, message="")
