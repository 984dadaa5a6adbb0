"""What is made of the facts about an agent's health."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core import events
from opmas.core.vitals import Said

if TYPE_CHECKING:
    from opmas.core.state import Agent


def learned(
    agent: Agent, event: events.Probed | events.Linked | events.Pressed, now: float
) -> Agent:
    """Return the agent with one more fact of its health."""
    vitals = agent.vitals
    match event:
        case events.Probed(report=report):
            vitals = replace(vitals, probed=Said(report, now))
            agent = replace(agent, reported=report)
        case events.Linked(connected=connected):
            vitals = replace(vitals, linked=connected, linked_at=now)
        case events.Pressed(signs=signs):
            vitals = replace(vitals, signs=signs, signs_at=now)
    return replace(agent, vitals=vitals)
