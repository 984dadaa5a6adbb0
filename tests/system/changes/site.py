"""A lab host whose manager may be killed at any time, and what must hold there all the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.bundles.installed import verify_installed
from opmas.client.control import ManagerClient
from opmas.errors import ManagerError
from tests.lab import wait_for
from tests.system.changes.packages import TRUSTED_KEYS, trust
from tests.system.manager.opmas import Opmas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.lab import Host

STATE: Final = "var/lib/opmas"
DATA: Final = "var/lib/private/opmas-agents"
FINAL: Final = frozenset({"committed", "reverted", "revert-failed", "refused"})
STUCK: Final = 60.0  # seconds; with a window of 2 s a change takes a tenth of it
LOOK: Final = 0.1
CGROUPS: Final = "sys/fs/cgroup/{hierarchy}{unit}/cgroup.procs"
AGENTS_SLICE: Final = "opmas.slice/opmas-agents.slice"


class Site(Opmas):
    """One host's OPMAS, seen past the manager where that may be away."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.root = host.root

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method once; `ManagerError` when the manager is killed meanwhile."""
        with ManagerClient(str(self.root / "run/opmas/manager.sock"), timeout=30) as client:
            return client.call(method, **params)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something that changes nothing, until the manager answers."""

        def asked() -> dict[str, Any] | None:
            try:
                return self.call(method, **params)
            except ManagerError:
                return None

        return wait_for(asked, STUCK, f"the manager answers {method}")

    def trust(self, folder: Path) -> None:
        """Have the host trust the bundles of the tests."""
        self.host.copy_in(trust(folder), TRUSTED_KEYS)

    def restart_at_once(self) -> None:
        """Have systemd restart the manager sooner, and as often as it is killed."""
        settings = self.root / "etc/systemd/system/opmas-manager.service.d/soon.conf"
        settings.parent.mkdir()
        settings.write_text("[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n")
        self.systemctl("daemon-reload")

    def bring(self, bundle: Path) -> str:
        """Copy the bundle to the host, and return its path there."""
        path = f"/root/{bundle.name}"
        self.host.copy_in(bundle, path)
        return path

    def install(self, bundle: Path) -> None:
        """Have the bundle installed."""
        change = self.change("package.install", file=self.bring(bundle))
        assert self.ended(change)["state"] == "committed"

    def change(self, method: str, **params: Any) -> int:
        """Ask for a change as one who does not give up does, and return its number.

        An answer that is lost is looked for in the list of changes before it is asked for again.
        """
        last = self.last_change()

        def asked() -> int | None:
            try:
                found = self.call(method, **params)
            except ManagerError:
                newer = [c for c in self.changes() if c["id"] > last and _is_of(c, params)]
                return newer[0]["id"] if newer else None
            number: int = (
                found["change"]["id"] if isinstance(found["change"], dict) else found["change"]
            )
            return number

        return wait_for(asked, STUCK, f"{method} is taken")

    def changes(self) -> list[dict[str, Any]]:
        """Return the last changes, the newest first."""
        found: list[dict[str, Any]] = self.ask("change.list", limit=500)["changes"]
        return found

    def last_change(self) -> int:
        found: list[dict[str, Any]] = self.ask("change.list", limit=1)["changes"]
        return int(found[0]["id"]) if found else 0

    def ended(self, number: int, timeout: float = STUCK) -> dict[str, Any]:
        """Wait until the change has ended, and return it."""
        deadline = time.monotonic() + timeout
        while True:
            view = self.ask("change.show", id=number)
            if view["state"] in FINAL:
                return view
            assert time.monotonic() < deadline, f"stuck: {view}"
            time.sleep(LOOK)

    def agents(self) -> dict[str, dict[str, Any]]:
        return {a["name"]: a for a in self.ask("agent.list")["agents"]}

    def serving(self, name: str, version: str, timeout: float = STUCK) -> dict[str, Any]:
        """Wait until the agent runs, told and indeed, in this version; nobody changes it."""

        def look() -> dict[str, Any] | None:
            view = self.agents().get(name)
            if view is None or view["phase"] != "running" or view["change"] is not None:
                return None
            right = view["version"] == version and self.data(name).get("runs") == version
            return view if right else None

        try:
            return wait_for(look, timeout, f"{name} {version} serves")
        except AssertionError as error:
            error.add_note(f"{self.agents().get(name)}, its data {self.data(name)}")
            error.add_note(self.story(f"agent/{name}"))
            raise

    def story(self, subject: str) -> str:
        """Return the last events of an agent or package, and of the manager, for who looks."""
        told = [e for e in self.log() if e["subject"] in {subject, "manager"}]
        return "\n".join(f"{e['time']} {e['type']} {e['data']}" for e in told[-60:])

    def data(self, name: str) -> dict[str, str]:
        """Return the files in the agent's data."""
        folder = self.root / DATA / name
        found = {}
        for path in folder.iterdir() if folder.is_dir() else ():
            try:
                found[path.name] = path.read_text()
            except OSError:  # put aside or brought back just now
                continue
        return found

    def processes(self, unit: str) -> list[int]:
        """Return the processes of a unit, by the numbers that they have on this machine."""
        for hierarchy in ("", "systemd/", "unified/"):
            path = self.root / CGROUPS.format(hierarchy=hierarchy, unit=unit)
            try:
                found = [int(line) for line in path.read_text().split()]
            except OSError:
                continue
            return [pid for pid in found if self._is_ours(pid)]
        return []

    def agent_processes(self, names: Iterable[str]) -> dict[str, list[int]]:
        """Return the processes of each agent: what a restart would change."""
        return {n: self.processes(f"{AGENTS_SLICE}/opmas-agent@{n}.service") for n in names}

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"opmas-lab-{self.host.name}" in Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return False

    def names_in(self, folder: str) -> list[str]:
        """Return what is in a folder of the manager's state, but for locks."""
        path = self.root / STATE / folder
        names = [each.name for each in path.iterdir()] if path.is_dir() else []
        return sorted(name for name in names if not name.startswith(".lock"))

    def versions(self) -> dict[str, list[str]]:
        """Return the versions on the disk by package; each is whole."""
        found: dict[str, list[str]] = {}
        for path in sorted((self.root / STATE / "packages").glob("[!.]*/*")):
            assert verify_installed(path) == ()
            found.setdefault(path.parent.name, []).append(path.name)
        return found

    def leftovers(self) -> list[str]:
        """Return what changes leave while they go on."""
        folders = ("packages/.staging", "jobs", "snapshots")
        return [f"{folder}/{name}" for folder in folders for name in self.names_in(folder)]

    def is_tidy(self) -> None:
        """See that no change goes on, and nothing of one is left."""
        assert self.ask("change.list", active=True)["changes"] == []
        wait_for(lambda: not self.leftovers(), 20, f"all is tidied up: {self.leftovers()}")
        hooks = list((self.root / "etc/systemd/system").glob("opmas-hook@*"))
        assert hooks == []
        failed = self.systemctl("--failed", "--plain", "--no-legend").strip()
        assert failed == ""

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Return all events since that one; their numbers have no gaps."""
        found: list[dict[str, Any]] = []
        while more := self.ask("event.list", after=after, limit=1000)["events"]:
            found += more
            after = more[-1]["sequence"]
        numbers = [event["sequence"] for event in found]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        return found


def _is_of(change: dict[str, Any], params: dict[str, Any]) -> bool:
    name = params.get("name") or Path(params["file"]).name.rpartition("-")[0]
    return change["subject"] in {f"agent/{name}", f"package/{name}"}
