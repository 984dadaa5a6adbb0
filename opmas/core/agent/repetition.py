"""What is seen again and changes nothing: nearly all that a full look at the host shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.core import events
from opmas.core.agent.state import Agent, Fact, Pending, Then, fact
from opmas.core.agent.terms import Phase

if TYPE_CHECKING:
    from opmas.core.events import Event


def is_repetition(agent: Agent, event: Event) -> bool:
    """Return whether `decide` would leave the agent as it is, told without working that out.

    Only of agents at rest: what is under way, what time changes, and what needs a look at others
    is left to `decide`.
    """
    if not isinstance(event, events.UnitSeen) or event.state != agent.unit:
        return False
    return _is_at_rest(agent) and (_runs(agent) or _is_away(agent))


def _is_at_rest(agent: Agent) -> bool:
    """Return whether nothing is under way, and nothing lapses."""
    known = agent.assessment
    return (
        known is not None
        and known.due is None
        and agent.pending is Pending.NOTHING
        and agent.settle_at is None
        and not (agent.let_down or agent.paused or agent.failures or agent.vitals.exits)
    )


def _runs(agent: Agent) -> bool:
    """Return whether it runs, and nothing is left of how it came to that."""
    return (
        agent.phase is Phase.RUNNING
        and fact(agent.unit) is Fact.ACTIVE
        and agent.then is not Then.START
        and agent.retry_at is None
        and not (agent.held or agent.foreign_job or agent.message or agent.jobs)
    )


def _is_away(agent: Agent) -> bool:
    """Return whether it is down, and systemd has not even loaded its unit."""
    return agent.phase is Phase.STOPPED and agent.unit is None
