"""What a job of systemd's tells of one agent: one of ours was made, somebody else's has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.moves import enter
from opmas.core.agent.state import DOWN, Agent, Fact, Pending, fact
from opmas.core.agent.terms import Phase, Reason

if TYPE_CHECKING:
    from opmas.core import events

START_GRACE: Final = 5.0  # seconds in which the job of a start must show in the unit


def job_issued(agent: Agent, job_id: int, now: float) -> Agent:
    """Return the agent with a job that systemd made for a start or stop of ours."""
    if agent.pending not in {Pending.START, Pending.STOP}:
        return agent  # what it was for is seen already
    if agent.pending is Pending.START:
        agent = replace(agent, refusals=0)
    if agent.pending is Pending.START and agent.settle_at is not None:
        agent = replace(agent, settle_at=min(agent.settle_at, now + START_GRACE))
    return replace(agent, jobs=agent.jobs | {job_id})


def foreign_job_ended(agent: Agent, event: events.JobEnded, now: float) -> Agent:
    """Return the agent after a job of somebody else's: a stop, when the unit is down now."""
    seen = fact(agent.unit)
    if seen not in DOWN and seen is not Fact.DEACTIVATING:
        return agent
    done = event.result == "done"
    if agent.phase is Phase.QUARANTINED and done:  # it stays so, and is not tried by us any more
        return replace(agent, held=True, retry_at=None)
    if agent.phase is Phase.BACKOFF and done:
        agent = replace(agent, held=True, retry_at=None)
        return enter(agent, Phase.STOPPED, Reason.HELD, now)
    return replace(agent, foreign_job=True)
