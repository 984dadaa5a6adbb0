"""An agent that stands by: for a change that needs it down, for an agent that it requires."""

from __future__ import annotations

from dataclasses import replace

from opmas.core.agent.moves import enter, queue
from opmas.core.agent.state import LIVE, Agent, Pending, Then
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.agent.ties import waits


def unpause(agent: Agent, now: float) -> Agent:
    """Return the agent on its way up again, if it is wanted: the change may mend a failure."""
    is_down = agent.phase not in LIVE and agent.then is Then.NOTHING and not agent.held
    if not is_down or agent.spec.desired is not Desired.RUNNING or not agent.package_present:
        if agent.reason is Reason.CHANGE and agent.phase is Phase.STOPPED:
            missing = agent.spec.desired is Desired.RUNNING
            reason = Reason.PACKAGE_MISSING if missing else Reason.REQUESTED
            return enter(agent, Phase.STOPPED, reason, now)
        return agent
    return queue(replace(agent, failures=0, failing_since=None, remedy=None), Reason.CHANGE, now)


def needs_unmet(agent: Agent, message: str, now: float) -> Agent:
    """Return the agent that waited for its turn: it waits for what it requires, as it says."""
    if agent.pending is not Pending.QUEUED and not waits(agent):
        return agent
    agent = replace(agent, pending=Pending.NOTHING)
    return replace(enter(agent, Phase.STOPPED, Reason.DEPENDENCY, now), message=message)


def needs_met(agent: Agent, now: float) -> Agent:
    """Return the agent in the queue, if it waited for what it requires."""
    wanted = agent.spec.desired is Desired.RUNNING and agent.package_present and not agent.paused
    return queue(agent, Reason.DEPENDENCY, now) if waits(agent) and wanted else agent
