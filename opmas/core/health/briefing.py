"""What an agent's health needs to know of the host's other parts: its package, what it requires.

An agent is told with each step of its own; `leaning_on` names those that must be told because
another one began or ceased to serve.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core.agent.state import health
from opmas.core.agent.terms import Health
from opmas.core.agent.ties import ties_of
from opmas.core.health.assessment import UP
from opmas.core.health.vitals import Lack

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.health.vitals import Vitals
    from opmas.core.roster import Roster


def briefed(roster: Roster, agent: Agent, now: float) -> Agent:
    """Return the agent that knows its package's traits, and which of what it requires lacks."""
    ties = ties_of(roster, agent)
    vitals = _of_package(agent.vitals, ties.digest)
    if vitals is not agent.vitals:
        agent = replace(agent, vitals=vitals)
    if not ties.requires and not vitals.lacks and vitals.traits == ties.traits:
        return agent
    known = {lack.agent: lack for lack in vitals.lacks}
    lacks = []
    for name in ties.requires:
        why = _why_not(name, roster.agents.get(name))
        before = known.get(name)
        if why:
            same = before is not None and before.why == why
            lacks.append(before if same and before else Lack(name, why, now))
    return replace(agent, vitals=replace(vitals, traits=ties.traits, lacks=tuple(lacks)))


def _of_package(vitals: Vitals, digest: str) -> Vitals:
    """Return the vitals without what another package did: dpkg updates one with no change of what
    is specified. One that is gone may come back as it was.
    """
    if not digest or digest == vitals.package:
        return vitals
    exits = () if vitals.package else vitals.exits  # it is seen for the first time
    return replace(vitals, exits=exits, package=digest)


def leaning_on(roster: Roster, before: Agent, after: Agent) -> tuple[str, ...]:
    """Return the agents that require this one, when it began or ceased to serve."""
    name = after.name
    if _why_not(name, before) == _why_not(name, after):
        return ()
    if not any(name in ties.requires for ties in roster.ties.values()):
        return ()
    agents = roster.agents.values()
    return tuple(a.name for a in agents if name in ties_of(roster, a).requires)


def _why_not(name: str, agent: Agent | None) -> str:
    """Return why the agent is of no use to those that require it, nothing when it serves."""
    if agent is None:
        return f'there is no agent "{name}"'
    if agent.phase not in UP:
        return f'agent "{name}" is {agent.phase}'
    status = health(agent).status
    return f'agent "{name}" is unhealthy' if status is Health.UNHEALTHY else ""
