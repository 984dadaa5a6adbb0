"""What a decision about one agent may look at beside the agent itself.

Nothing is looked up before it is asked for: most that is seen of an agent needs none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opmas.core.agent.ties import is_let_down
from opmas.core.change.ledger import of_agent
from opmas.core.recovery.culprit import culprit
from opmas.core.recovery.policy import NO_RECOVERY, Policy, effective_policy
from opmas.core.recovery.suspicion import Suspicion, excused, suspicion

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.agent.terms import AgentSpec, Reason
    from opmas.core.recovery.budget import Budget
    from opmas.core.roster import Roster


def policy_of(roster: Roster, spec: AgentSpec) -> Policy:
    """Return the recovery policy that applies to the agent."""
    package = roster.policies.get((spec.package, spec.version), NO_RECOVERY)
    if package is NO_RECOVERY and spec.recovery is NO_RECOVERY:
        return roster.policy
    return effective_policy(roster.policy, package, spec.recovery)


@dataclass(frozen=True, slots=True)
class Context:
    """The host around one agent, as it is now."""

    roster: Roster
    spec: AgentSpec

    @property
    def policy(self) -> Policy:
        """The agent's recovery policy."""
        return policy_of(self.roster, self.spec)

    @property
    def budget(self) -> Budget:
        """How many restarts the host allows."""
        return self.roster.budget

    @property
    def in_change(self) -> bool:
        """Whether a change of the agent goes on: what follows is for that to say."""
        return of_agent(self.roster, self.spec.name) is not None

    def utc(self, now: float) -> float:
        """Return the instant in seconds since 1970."""
        return self.roster.utc_offset + now

    def let_down(self, agent: Agent) -> bool:
        """Return whether what the agent requires is down, or was a moment ago."""
        return is_let_down(self.roster, agent)

    def excused(self, agent: Agent, cause: Reason) -> bool:
        """Return whether something around the agent explains what goes wrong with it."""
        return excused(self.roster, agent, cause) is not None

    def suspicion(self, agent: Agent, cause: Reason, since: float, now: float) -> Suspicion:
        """Return which change is likely the cause."""
        return suspicion(self.roster, agent, self.policy, cause, since, now)

    def culprit(self, agent: Agent, now: float) -> str:
        """Return which dependency is likely the cause, or nothing."""
        policy = self.policy
        if not policy.restart_dependency:
            return ""
        return culprit(self.roster, agent, policy.reset_after, now)
