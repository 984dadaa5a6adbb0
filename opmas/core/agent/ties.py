"""What agents need of each other while they live: who waits for whom, who was let down.

systemd stops an agent whose hard dependency goes down (`BindsTo=`), and starts it no more: OPMAS
does, when the dependency runs again. docs/adr/0008-dependencies-between-agents.md has what systemd
does, as measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import Agent, Pending
from opmas.core.agent.terms import Phase, Reason
from opmas.core.health.vitals import NO_TRAITS, Traits

if TYPE_CHECKING:
    from opmas.core.roster import Roster

# An agent begins to go down a moment after its dependency did; whoever is up again by then came
# up after this.
MARGIN: Final = 0.5  # seconds
UP: Final = frozenset({Phase.RUNNING, Phase.RELOADING})


@dataclass(frozen=True, slots=True)
class Ties:
    """What every agent of a package needs: `requires` must run, `after` is only waited for; and
    how its health is told. `digest` tells the package from another, also of that version.
    """

    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    traits: Traits = NO_TRAITS
    digest: str = ""


NO_TIES: Final = Ties()


def ties_of(roster: Roster, agent: Agent) -> Ties:
    """Return what the agent needs of others."""
    return roster.ties.get((agent.spec.package, agent.spec.version), NO_TIES)


def is_let_down(roster: Roster, agent: Agent) -> bool:
    """Return whether something that the agent requires is down, or went down with it."""
    for name in ties_of(roster, agent).requires:
        other = roster.agents.get(name)
        if other is None or other.phase not in UP or _is_told_to_stop(other):
            return True
        if other.since >= agent.since - MARGIN and agent.phase is Phase.STOPPING:
            return True
        # It went and came back while the manager was away. The wall clock alone does not tell:
        # when it is set back, all starts seem to be later.
        later = _came_up(other) > roster.utc_offset + agent.since
        if agent.phase in UP and other.since > agent.since and later:
            return True
    return False


def _is_told_to_stop(agent: Agent) -> bool:
    """Return whether a job of systemd's waits: a stop or restart, for those to stop first that
    are bound to it. One that is carried out shows in the unit, and so in the phase.
    """
    return agent.phase is Phase.RUNNING and agent.unit is not None and agent.unit.job_id != 0


def blamed(agent: Agent) -> Agent:
    """Return the agent on its way down with who is behind that: what looked like somebody's hand
    is not, when what it requires goes down too.
    """
    by_hand = agent.phase is Phase.STOPPING and agent.reason is Reason.SYSTEMCTL
    return replace(agent, reason=Reason.DEPENDENCY) if by_hand and agent.let_down else agent


def _came_up(agent: Agent) -> float:
    """Return when its run became active, in seconds since 1970; 0 when there is none."""
    return 0.0 if agent.unit is None else agent.unit.active_enter_at


def unmet(roster: Roster, agent: Agent) -> str:
    """Return for whom an agent waits, or would in vain, in words, or nothing."""
    for name in ties_of(roster, agent).requires:
        other = roster.agents.get(name)
        if other is None:
            return f'there is no agent "{name}"'
        comes = other.phase in {Phase.STARTING, Phase.RUNNING, Phase.RELOADING}
        if not comes and not other.paused:
            return f'agent "{name}" is {other.phase}'
    return ""


def waits(agent: Agent) -> bool:
    """Return whether the agent is down until what it requires runs."""
    is_down = agent.phase is Phase.STOPPED and agent.pending is Pending.NOTHING
    return is_down and agent.reason is Reason.DEPENDENCY


def waiting(roster: Roster) -> tuple[str, ...]:
    """Return the agents that waited for others, and need not any more."""
    return tuple(
        agent.name
        for agent in roster.agents.values()
        if waits(agent) and all(_runs(roster, name) for name in ties_of(roster, agent).requires)
    )


def _runs(roster: Roster, name: str) -> bool:
    other = roster.agents.get(name)
    return other is not None and other.phase in UP
