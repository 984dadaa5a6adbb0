"""Looks at the agents of changes that are watched: once a second, and at once when one changed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core import watching
from opmas.core.change import Change, ChangeState
from opmas.core.evidence import Sighting, Surroundings
from opmas.core.limits import effective_limits
from opmas.core.neighbours import neighbours
from opmas.core.sight import Figures, sight
from opmas.core.state import health
from opmas.host.cgroups import Cgroups
from opmas.host.pressure import read_pressure
from opmas.host.space import Space, read_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.roster import Roster
    from opmas.core.state import Agent
    from opmas.manager.clock import Clock
    from opmas.manager.link import AgentLinks
    from opmas.manager.writer import Writer
    from opmas.packages.collection import Packages

PERIOD: Final = 1.0  # seconds
AGENT_STATES: Final = Path("/var/lib/opmas-agents")  # StateDirectory= of the agents' template


class Lookout:
    """Gathers what a change is judged by."""

    def __init__(
        self,
        state: Path,
        writer: Writer,
        packages: Packages,
        links: AgentLinks,
        clock: Clock,
        cgroups: Cgroups | None = None,
    ) -> None:
        self._state = state
        self._writer = writer
        self._packages = packages
        self._links = links
        self._clock = clock
        self._cgroups = cgroups or Cgroups()
        self._wake = asyncio.Event()
        self._seen: object = None
        self.exits_lately: Callable[[str], int | None] = lambda _: None

    def follow(self) -> None:
        """Look at once when a watched agent is not as it was; called after each turn."""
        signs = [
            (name, agent.phase, agent.failures, agent.last_exit, health(agent).status)
            for change in self._watched()
            for name in change.agents
            if (agent := self._writer.roster.agents.get(name)) is not None
        ]
        if signs != self._seen:
            self._seen = signs
            if signs:
                self._wake.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._sleep()
            self._wake.clear()
            for change in self._watched():
                self._look(change)

    def measure(self, id_: int) -> None:
        """Read what the agents of a change use before anything is done to them."""
        change = self._writer.roster.changes[id_]
        seen = {
            name: replace(sighting, exits_lately=self.exits_lately(name))
            for name, sighting in self._sightings(change).items()
        }
        self._writer.post_step(lambda roster, _now: (watching.measured(roster, id_, seen), ()))

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(PERIOD if self._watched() else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _look(self, change: Change) -> None:
        seen = self._sightings(change)
        around = {name: self._around(change, name) for name in seen}
        id_ = change.id
        self._writer.post_step(
            lambda roster, now: watching.sighted(roster, id_, seen, around, now)
        )

    def _watched(self) -> list[Change]:
        changes = self._writer.roster.changes.values()
        return [c for c in changes if c.state is ChangeState.WATCHING]

    def _sightings(self, change: Change) -> dict[str, Sighting]:
        now = self._clock.monotonic()
        agents = self._writer.roster.agents
        return {
            name: sight(agents[name], now, self._figures(agents[name]))
            for name in change.agents
            if name in agents
        }

    def _figures(self, agent: Agent) -> Figures:
        usage = self._cgroups.usage(agent.name)
        memory = self._cgroups.memory(agent.name)
        package = self._packages.of(agent.spec)
        limit = None
        if package is not None:
            limit = effective_limits(agent.spec, package.manifest).memory_max
        return Figures(
            cpu_seconds=usage.cpu_seconds,
            memory_bytes=memory.held_bytes,
            memory_max=limit,
            oom_kills=memory.oom_kills,
            throttled=memory.throttled,
            errors=self._links.heard(agent.name).errors,
        )

    def _around(self, change: Change, name: str) -> Surroundings:
        roster = self._writer.roster
        space = _least(read_space(self._state), read_space(AGENT_STATES / name))
        pressure = read_pressure()
        return Surroundings(
            disk_free=1.0 if space is None else space.fraction,
            disk_free_bytes=2**63 if space is None else space.free_bytes,
            cpu_pressure=pressure.cpu,
            memory_pressure=pressure.memory,
            io_pressure=pressure.io,
            dependencies_down=self._dependencies_down(roster, name),
            peers_worse=self._peers_worse(roster, change, name),
            database_ok=not self._writer.saver.behind,
        )

    def _dependencies_down(self, roster: Roster, name: str) -> tuple[str, ...]:
        specs = {n: a.spec for n, a in roster.agents.items()}
        manifests = {
            n: found.manifest for n, s in specs.items() if (found := self._packages.of(s))
        }
        named = neighbours(name, specs, manifests)
        return tuple(n for n in named if n in roster.agents and not _serves(roster.agents[n]))

    def _peers_worse(self, roster: Roster, change: Change, name: str) -> tuple[str, ...]:
        """Return the agents that have the version before, and do badly since the change."""
        own = roster.agents[name].spec
        since = change.watches[name].began.at if name in change.watches else float("inf")
        return tuple(
            a.name
            for a in roster.agents.values()
            if a.spec.package == own.package
            and a.name not in change.agents
            and (a.spec.version != own.version or not own.version)
            and not _serves(a)
            and a.since >= since
        )


def _least(*spaces: Space | None) -> Space | None:
    """Return the space of the fullest file system that tells; an agent's may be its own."""
    known = [space for space in spaces if space is not None]
    return min(known, key=lambda space: space.free_bytes, default=None)


def _serves(agent: Agent) -> bool:
    return (
        str(agent.phase) in {"running", "reloading"} and str(health(agent).status) != "unhealthy"
    )
