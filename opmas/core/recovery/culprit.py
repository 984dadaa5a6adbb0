"""Which dependency of an agent is the cause of its failures: it runs, and does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import Pending, health
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.agent.ties import ties_of
from opmas.core.change.ledger import of_agent
from opmas.core.recovery.suspicion import excused

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.roster import Roster

RELOADS_WITHIN: Final = 90.0  # seconds; DefaultTimeoutStartSec= of systemd, which bounds a reload


def culprit(roster: Roster, agent: Agent, period: float, now: float) -> str:
    """Return the agent that is to be restarted for this one's sake, or nothing.

    Of several that depend on each other it is the one at the bottom: the others may only suffer
    from it. One that was restarted so within `period` is left alone, and one that suffers from
    what is outside of it: a restart does not help that.
    """
    found, seen = "", {agent.name}
    names = ties_of(roster, agent).requires
    while names:
        bad = next((n for n in names if n not in seen and _is_broken(roster, n, now)), None)
        if bad is None:
            break
        seen.add(bad)
        found, names = bad, ties_of(roster, roster.agents[bad]).requires
    return found if found and _may_be_restarted(roster, roster.agents[found], period, now) else ""


def _is_broken(roster: Roster, name: str, now: float) -> bool:
    other = roster.agents.get(name)
    if other is None:
        return False
    if other.phase is Phase.RELOADING and now - other.since >= RELOADS_WITHIN:
        return True
    return other.phase is Phase.RUNNING and health(other).status is Health.UNHEALTHY


def _may_be_restarted(roster: Roster, agent: Agent, period: float, now: float) -> bool:
    if agent.held or agent.paused or agent.pending is not Pending.NOTHING:
        return False
    if agent.spec.desired is not Desired.RUNNING or of_agent(roster, agent.name) is not None:
        return False
    if excused(roster, agent, Reason.UNHEALTHY) is not None:
        return False
    lately = agent.renewed_at is not None and now - agent.renewed_at < period
    return not lately and roster.budget.is_free(now)
