"""A manager in this process, on a fake systemd; files, SQLite and sockets are real."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

import pytest

from opmas.client.control import ManagerClient
from opmas.core.documents.settings import Settings, parse_settings
from opmas.host.pressure import Pressure
from opmas.manager import scenery
from opmas.manager.changes import lookout
from opmas.manager.service import Manager
from opmas.packages import catalogue
from opmas.work.task import Paths
from tests.fakes.notifier import RecordingNotifier
from tests.fakes.units import FakeUnits
from tests.integration.manager import stock
from tests.integration.manager.worker import Migrations, Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.packages.deb import Deb

MANIFEST = """
api: opmas.agent/v1
name: {name}
version: 1.0.0
summary: Sleeps
runtime: exec
command: [/bin/sleep, infinity]
config:
  schema: {{type: object, properties: {{naps: {{type: integer}}}}, additionalProperties: false}}
  defaults: {{naps: 1}}
{more}
"""


class Place:
    """A host's directories, its systemd, and a manager that comes and goes.

    `debs` are the Debian packages of agents that are installed. What an agent must be compared by,
    the host's load and room, is that of a quiet host.
    """

    def __init__(self, path: Path, **sections: dict[str, Any]) -> None:
        self.path = path
        self.units = FakeUnits()
        self.notifier = RecordingNotifier()
        self.socket = path / "run/manager.sock"
        self.unit_dir = path / "units"
        self.database = path / "state/manager.db"
        self.packages = path / "state/packages"
        self.delivered = path / "delivered"
        self.debs: dict[str, Deb] = {}
        self.sections = sections
        self._task: asyncio.Task[None] | None = None
        self._patch = pytest.MonkeyPatch()
        self.paths = Paths(path / "state", path / "states", path / "private-states", path / "debs")
        self.worker = Worker(self.settings(), self.paths)
        self.migrations = Migrations(self.unit_dir, self.paths)
        self.add_package("nap")
        stock.trust(path / "keys")
        self._equip()

    async def __aenter__(self) -> Self:
        self._patch.setattr(catalogue, "agent_debs", lambda: dict(self.debs))
        self._patch.setattr(catalogue, "DEB_ROOT", self.path / "system")
        self._patch.setattr(lookout, "PERIOD", 0.05)
        for reader in (lookout, scenery):
            self._patch.setattr(reader, "read_pressure", lambda: Pressure(0.0, 0.0, 0.0))
            self._patch.setattr(reader, "read_space", lambda _path: None)
        await self.units.__aenter__()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.worker.go_on()
        await self.stop()
        await self.units.__aexit__()
        self._patch.undo()

    def add_package(self, name: str, more: str = "") -> Path:
        folder = self.path / "packages" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "agent.yaml").write_text(MANIFEST.format(name=name, more=more))
        return folder

    def settings(self) -> Settings:
        path = self.path
        manager = {
            "socket": str(self.socket),
            "agent_socket": str(path / "run/agent.sock"),
            "state_dir": str(path / "state"),
            "unit_dir": str(self.unit_dir),
            "packages_path": [str(path / "packages"), str(path / "system")],
            "check_interval": 1,
        }
        packages = {
            "bundle_dirs": [str(path / "bundles")],
            "delivered_dir": str(self.delivered),
            "trusted_keys": str(path / "keys"),
            "upload_dir": str(path / "uploads"),
        }
        document: dict[str, dict[str, Any]] = {"manager": manager, "packages": packages}
        for name, section in self.sections.items():
            document[name] = {**document.get(name, {}), **section}
        return parse_settings(document, {})

    def _equip(self) -> None:
        """Give the present systemd the units that do one thing."""
        self.units.oneshots.table.update(
            {
                "opmas-package@": self.worker,
                "opmas-apt@": self.worker,
                "opmas-hook@": self.migrations,
            }
        )

    async def start(self) -> None:
        self.units.hang_up()
        self.notifier = RecordingNotifier()
        self.manager = Manager(self.settings(), self.units, self.notifier)
        self._task = asyncio.create_task(self.manager.run())
        await self.units.resync()  # as a bridge does whenever it is started
        await self.until(lambda: "READY" in self.notifier.told, "the manager is ready")

    async def stop(self) -> None:
        if self._task is not None:
            self.manager.stop()
            await self._task
        self._task = None

    async def reboot(self) -> None:
        """Cut the power and boot again: /run is empty, and no unit is loaded."""
        await self.kill()
        (self.path / "run/boot-id").unlink()
        await self.units.__aexit__()
        self.units = FakeUnits()
        self._equip()
        await self.units.__aenter__()
        await self.start()

    async def kill(self) -> None:
        """End the manager as SIGKILL would: nothing more is written or said."""
        assert self._task is not None
        self.manager.writer.flush = lambda: None  # type: ignore[method-assign]
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            with ManagerClient(str(self.socket), timeout=20) as client:
                return client.call(method, **params)

        return await asyncio.to_thread(ask)

    async def create(self, name: str = "web", **params: Any) -> dict[str, Any]:
        return await self.call(
            "agent.put", **{"name": name, "package": "nap", "wait": 10, **params}
        )

    async def show(self, name: str = "web") -> dict[str, Any]:
        return await self.call("agent.show", name=name)

    async def phase(self, phase: str, name: str = "web") -> dict[str, Any]:
        """Wait until the agent is in the phase."""
        agents = self.manager.writer
        await self.until(lambda: agents.roster.get(name).phase == phase, f"{name} is {phase}")
        return await self.show(name)

    async def events(self, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.call("event.list", limit=1000, **params))[
            "events"
        ]
        return found

    async def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + 15
        while not condition():
            if self._task is not None and self._task.done():
                self._task.result()
            assert asyncio.get_running_loop().time() < deadline, f"waited in vain until {what}"
            await asyncio.sleep(0.01)
