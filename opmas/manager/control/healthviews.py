"""What the outside is told of an agent's health: the answer, and the facts that it rests on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opmas.core.health.assessment import assess
from opmas.core.health.vitals import Said
from opmas.manager.clock import rfc3339

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.agents.probes import Probes
    from opmas.manager.clock import Clock


class HealthViews:
    """Makes the documents of what the core knows, and of what is newer and changes nothing."""

    def __init__(self, links: AgentLinks, probes: Probes, clock: Clock) -> None:
        self._links = links
        self._probes = probes
        self._clock = clock

    def brief(self, agent: Agent) -> dict[str, Any]:
        """Return whether the agent is ready and alive."""
        known = agent.assessment or assess(agent, self._clock.monotonic())
        return {"ready": known.ready, "alive": known.alive}

    def facts(self, agent: Agent) -> list[dict[str, Any]]:
        """Return all facts, each with the instant at which it was learned and its age."""
        now = self._clock.monotonic()
        found = assess(self.fresh(agent), now)
        return [
            {
                "name": fact.name,
                "status": str(fact.status),
                "code": fact.code,
                "message": fact.message,
                "source": fact.source,
                "at": None if fact.at is None else rfc3339(self._clock.at(fact.at)),
                "age": None if fact.at is None else round(max(now - fact.at, 0.0), 1),
            }
            for fact in found.facts
        ]

    def fresh(self, agent: Agent) -> Agent:
        """Return the agent with the ages of what was said again, and how far its work is."""
        heard, vitals = self._links.heard(agent.name), agent.vitals
        vitals = replace(
            vitals,
            reported=_at(vitals.reported, heard.reported_at),
            probed=_at(vitals.probed, self._probes.checked_at(agent.name)),
        )
        return replace(agent, vitals=replace(vitals, advance=heard.advance))


def _at(said: Said | None, at: float | None) -> Said | None:
    if said is None or at is None or at < said.at:
        return said
    return Said(said.report, at)
