"""Looks at the agents of changes that are watched: once a second, and at once when one changed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import health
from opmas.core.change import watching
from opmas.core.change.change import Change, ChangeState
from opmas.core.change.evidence import Sighting, Surroundings
from opmas.core.change.sight import Figures, sight
from opmas.core.package.neighbours import neighbours
from opmas.core.resources.limits import NO_HOST_LIMITS, HostLimits, memory_max
from opmas.host.cgroups import Cgroups
from opmas.host.pressure import Pressure, read_pressure
from opmas.host.space import Space, read_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.agent.state import Agent
    from opmas.core.roster import Roster
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.clock import Clock
    from opmas.manager.state.writer import Writer
    from opmas.packages.collection import Packages

PERIOD: Final = 1.0  # seconds
QUIET: Final = 45.0  # seconds; agents say every 30 how far their work is
STALLED: Final = "stalled"  # the SDK's code of work that stands still
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
        self.host_limits: HostLimits = NO_HOST_LIMITS
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
            self.look()

    def look(self) -> None:
        """Tell the core what is seen of each agent that is watched."""
        changes = self._watched()
        if not changes:
            return
        scene = _Scene(self._writer.roster, self._state)
        for change in changes:
            self._look(change, scene)

    def measure(self, id_: int) -> None:
        """Read what the agents of a change use before anything is done to them."""
        change = self._writer.roster.changes[id_]
        seen = {
            name: replace(
                sighting,
                exits_lately=self.exits_lately(name),
                progress=self._links.progress(name),
            )
            for name, sighting in self._sightings(change).items()
        }
        self._writer.post_step(lambda roster, _now: (watching.measured(roster, id_, seen), ()))

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(PERIOD if self._watched() else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _look(self, change: Change, scene: _Scene) -> None:
        seen = self._sightings(change)
        around = {name: self._around(change, scene, name) for name in seen}
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

    def _progress(self, agent: Agent) -> int | None:
        """Return how far its work is; None while it says that nothing stands still: an agent
        whose rounds are seldom, or which waits for events, makes no progress and is well.
        """
        report = agent.reported
        checks = () if report is None else report.checks
        stands = any(c.code == STALLED for c in checks)
        if stands or self._links.quiet(agent.name) >= QUIET:
            return self._links.progress(agent.name)
        return None

    def _figures(self, agent: Agent) -> Figures:
        memory = self._cgroups.memory(agent.name)
        package = self._packages.of(agent.spec)
        limit = (
            None if package is None else memory_max(agent.spec, package.manifest, self.host_limits)
        )
        return Figures(
            cpu_seconds=self._cgroups.cpu_seconds(agent.name),
            memory_bytes=memory.held_bytes,
            memory_max=limit,
            oom_kills=memory.oom_kills,
            throttled=memory.throttled,
            errors=self._links.heard(agent.name).errors,
            progress=self._progress(agent),
        )

    def _around(self, change: Change, scene: _Scene, name: str) -> Surroundings:
        space = _least(scene.space, read_space(AGENT_STATES / name))
        return Surroundings(
            disk_free=1.0 if space is None else space.fraction,
            disk_free_bytes=2**63 if space is None else space.free_bytes,
            cpu_pressure=scene.pressure.cpu,
            memory_pressure=scene.pressure.memory,
            io_pressure=scene.pressure.io,
            dependencies_down=self._dependencies_down(scene.roster, name),
            peers_worse=_peers_worse(scene, change, name),
            database_ok=not self._writer.saver.behind,
        )

    def _dependencies_down(self, roster: Roster, name: str) -> tuple[str, ...]:
        spec = roster.agents[name].spec
        package = self._packages.of(spec)
        manifests = {} if package is None else {name: package.manifest}
        named = neighbours(name, {name: spec}, manifests)
        return tuple(n for n in named if n in roster.agents and not _serves(roster.agents[n]))


class _Scene:
    """What is the same for all agents of one look: with hundreds of them it is read once."""

    def __init__(self, roster: Roster, state: Path) -> None:
        self.roster = roster
        self.space = read_space(state)
        self.pressure: Pressure = read_pressure()
        self.down: dict[str, dict[str, list[Agent]]] = {}  # by package and version
        for agent in roster.agents.values():
            if not _serves(agent):
                versions = self.down.setdefault(agent.spec.package, {})
                versions.setdefault(agent.spec.version, []).append(agent)


def _peers_worse(scene: _Scene, change: Change, name: str) -> tuple[str, ...]:
    """Return the agents that have the version before, and do badly since the change."""
    own = scene.roster.agents[name].spec
    watch = change.watches.get(name)
    if watch is None:
        return ()
    return tuple(
        agent.name
        for version, agents in scene.down.get(own.package, {}).items()
        if version != own.version or not version
        for agent in agents
        if agent.since >= watch.began.at and agent.name not in change.watches
    )


def _least(*spaces: Space | None) -> Space | None:
    """Return the space of the fullest file system that tells; an agent's may be its own."""
    known = [space for space in spaces if space is not None]
    return min(known, key=lambda space: space.free_bytes, default=None)


def _serves(agent: Agent) -> bool:
    return (
        str(agent.phase) in {"running", "reloading"} and str(health(agent).status) != "unhealthy"
    )
