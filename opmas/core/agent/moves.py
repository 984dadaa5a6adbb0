"""Moves of one agent that several parts of the life cycle make: into a phase, into the queue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core.agent.state import Agent, Pending, Then
from opmas.core.agent.terms import Phase, Reason
from opmas.core.health.assessment import UP
from opmas.core.health.vitals import of_new_run

if TYPE_CHECKING:
    from opmas.core.unit.state import UnitState


def queue(agent: Agent, reason: Reason, now: float) -> Agent:
    """Return the agent waiting for its turn to be started."""
    agent = replace(
        agent, pending=Pending.QUEUED, then=Then.NOTHING, retry_at=None, settle_at=None
    )
    return enter(agent, Phase.STARTING, reason, now)


def shown(agent: Agent, unit: UnitState | None, now: float) -> Agent:
    """Return the agent with what systemd shows of it now.

    Between two looks it may have been started again: what another run said or did is not this
    one's, and nobody has seen this one do well yet.
    """
    agent = replace(agent, unit=unit)
    run, known = "" if unit is None else unit.invocation_id, agent.vitals.run
    if not run or run == known:
        return agent
    if not known:
        return replace(agent, vitals=replace(agent.vitals, run=run))
    since = now if agent.phase in UP else agent.since
    vitals = replace(of_new_run(agent.vitals), run=run)
    return replace(agent, vitals=vitals, since=since, well_since=None)


def enter(agent: Agent, phase: Phase, reason: Reason, now: float) -> Agent:
    """Return the agent in that phase, since now unless it was there for that reason."""
    if phase is agent.phase and reason is agent.reason:
        return agent
    if phase in {Phase.STARTING, Phase.STOPPED}:
        agent = replace(agent, vitals=of_new_run(agent.vitals))
    return replace(agent, phase=phase, reason=reason, since=now, message="")
