"""What happens to agents from outside, done to the fake and done to a real host."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from opmas.core.agent.terms import unit_name
from tests.fakes.units import FakeUnits
from tests.system.systemd.watching import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opmas.ports import Units
    from opmas.systemd.client import SystemdUnits
    from tests.lab import Host
    from tests.system.systemd.units_host import UnitsHost


class World(Protocol):
    """A host to act on; agents are named freely, and their units exist unless said otherwise."""

    def units(self) -> SystemdUnits | FakeUnits:
        """Return an adapter that is not connected yet."""
        ...

    def fail_on_start(self, agent: str, status: int) -> None:
        """Let each start of the agent exit with this status before it is ready."""
        ...

    def hang_on_start(self, agent: str) -> None:
        """Let the agent never be ready."""
        ...

    def mask(self, agent: str) -> None:
        """Mask the agent's unit."""
        ...

    def break_file(self, agent: str) -> None:
        """Put nonsense in the agent's unit."""
        ...

    def change_file(self, agent: str) -> None:
        """Change the agent's unit on disk while it is loaded."""
        ...

    def kill(self, agent: str, number: int) -> None:
        """Send the agent a signal."""
        ...

    def exit(self, agent: str, status: int) -> None:
        """Let the agent exit by itself."""
        ...

    def systemctl(self, verb: str, agent: str) -> None:
        """Start or stop the agent as an admin does."""
        ...

    def cut(self) -> None:
        """Break the connection to systemd; it comes back by itself."""
        ...


class FakeWorld:
    """Turns the knobs of `FakeUnits`."""

    def __init__(self) -> None:
        self._units = FakeUnits()

    def units(self) -> FakeUnits:
        return self._units

    def fail_on_start(self, agent: str, status: int) -> None:
        self._units.failing[unit_name(agent)] = status

    def hang_on_start(self, agent: str) -> None:
        self._units.hanging.add(unit_name(agent))

    def mask(self, agent: str) -> None:
        self._units.masked.add(unit_name(agent))

    def break_file(self, agent: str) -> None:
        self._units.broken.add(unit_name(agent))

    def change_file(self, agent: str) -> None:
        self._units.stale.add(unit_name(agent))

    def kill(self, agent: str, number: int) -> None:
        self._units.crash(agent, number)

    def exit(self, agent: str, status: int) -> None:
        self._units.exit(agent, status)

    def systemctl(self, verb: str, agent: str) -> None:
        {"start": self._units.admin_start, "stop": self._units.admin_stop}[verb](agent)

    def cut(self) -> None:
        self._units.disconnect()
        self._units.reconnect()


class HostWorld:
    """Acts in a lab host."""

    def __init__(self, host: UnitsHost) -> None:
        self._host = host

    @property
    def host(self) -> Host:
        """The lab host itself."""
        return self._host.host

    def units(self) -> SystemdUnits:
        return self._host.units()

    def fail_on_start(self, agent: str, status: int) -> None:
        self._host.command(agent, f"exit {status}")

    def hang_on_start(self, agent: str) -> None:
        self._host.command(agent, "exec sleep infinity")

    def mask(self, agent: str) -> None:
        self._host.mask(agent)

    def break_file(self, agent: str) -> None:
        self._host.drop_in(agent, "ExecStart=")

    def change_file(self, agent: str) -> None:
        self._host.drop_in(agent, "MemoryMax=1G")

    def kill(self, agent: str, number: int) -> None:
        self._host.systemctl("kill", agent, f"--signal={number}")

    def exit(self, agent: str, status: int) -> None:
        self._host.sh('echo "$1" > "/run/$2.exit"', str(status), agent)

    def systemctl(self, verb: str, agent: str) -> None:
        self._host.systemctl(verb, agent)

    def cut(self) -> None:
        self._host.host.run("systemctl", "daemon-reexec")


@asynccontextmanager
async def watched(world: World) -> AsyncIterator[tuple[Units, Watch]]:
    """Connect, and give the adapter and what it tells once it has told all units."""
    async with world.units() as units, Watch(units) as watch:
        await watch.until_resynced()
        yield units, watch
