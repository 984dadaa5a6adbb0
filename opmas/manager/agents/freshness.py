"""Whether systemd starts an agent with the drop-in that is on the disk.

systemd reads a unit when it loads it, and keeps it loaded as long as another loaded unit names it:
such an agent would be started with what its drop-in said then (measured with systemd 252, which
may even say that no reload is needed). Only for those all units are read anew, at once for all
that are started together; others are not loaded while they are down.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opmas.core.agent.state import LIVE, Pending
from opmas.core.agent.ties import ties_of

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.manager.state.writer import Writer
    from opmas.ports import Units


class Freshness:
    """Knows which agents' units systemd has read since they were written."""

    def __init__(self, writer: Writer, units: Units) -> None:
        self._writer = writer
        self._units = units
        self._fresh: set[str] = set()
        self._reading = asyncio.Lock()

    def changed(self, name: str) -> None:
        """Take note that the agent's drop-in was written."""
        self._fresh.discard(name)

    def started(self, name: str) -> None:
        """Take note that systemd was asked to start the agent, and so has its unit loaded."""
        self._fresh.add(name)

    async def ensure(self, name: str) -> None:
        """Return when a start of the agent would be with what is on the disk."""
        if name in self._fresh or not self._is_kept_loaded(name):
            return
        async with self._reading:
            if name in self._fresh:  # read for another one meanwhile
                return
            known = set(self._writer.roster.agents)
            await self._units.reload_daemon()
            self._fresh |= known

    def _is_kept_loaded(self, name: str) -> bool:
        """Return whether a unit that is loaded names the agent's."""
        agents = self._writer.roster.agents.values()
        return any(
            name in self._named(agent)
            for agent in agents
            if agent.name != name and _is_loaded(agent)
        )

    def _named(self, agent: Agent) -> tuple[str, ...]:
        ties = ties_of(self._writer.roster, agent)
        return (*agent.spec.after, *ties.requires, *ties.after)


def _is_loaded(agent: Agent) -> bool:
    asked = agent.phase in LIVE and agent.pending is not Pending.QUEUED
    return asked or agent.unit is not None
