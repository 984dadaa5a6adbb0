"""One agent led through events, as the manager leads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.core import events
from opmas.core.agent.lifecycle import decide
from opmas.core.events import Announce
from opmas.core.recovery.context import Context
from opmas.core.recovery.policy import Policy
from opmas.core.roster import Roster

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent

POLICY = Policy()


class Story:
    """Leads one agent through events; `effects` are those of the last one."""

    def __init__(self, beginning: Agent, policy: Policy = POLICY) -> None:
        self.agent = beginning
        self.policy = policy
        self.effects: list[events.Effect] = []
        self.news: list[Announce] = []

    def on(self, event: events.Event, now: float = 0.0) -> Story:
        context = Context(Roster(policy=self.policy), self.agent.spec)
        self.agent, effects = decide(self.agent, event, now, context)
        self.effects = [e for e in effects if not isinstance(e, Announce)]
        self.news += [e for e in effects if isinstance(e, Announce)]
        return self

    def sees(self, *units: object, now: float = 0.0) -> Story:
        for unit in units:
            self.on(events.UnitSeen(unit), now)  # type: ignore[arg-type]
        return self

    def starts(self, job: int = 7) -> Story:
        return self.on(events.Turn("digest")).on(events.JobIssued(job))

    @property
    def told(self) -> list[str]:
        return [n.type for n in self.news]
