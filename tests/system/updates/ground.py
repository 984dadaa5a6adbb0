"""A lab host on which agents are updated, and what is asked of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.client.control import ManagerClient
from tests.lab import wait_for
from tests.system.updates.packages import GOOD, KEYS, make_version, trust

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab import Host

DATA: Final = "/var/lib/private/opmas-agents"
FINAL: Final = frozenset({"committed", "reverted", "revert-failed", "refused"})
ENDED: Final = 180.0  # seconds; the longest window is 120
SERVES: Final = 60.0
DELAY: Final = 0.25  # seconds between two looks: many tests look at once
WARM: Final = 13  # rounds, of half a second each: its CPU is known then
DROP_IN: Final = "/etc/systemd/system/opmas-manager.service.d/pressure.conf"
PRESSURE: Final = "/run/pressure"


class Ground:
    """One host: OPMAS on it trusts the bundles of the tests. Several threads may use it."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.root = host.root
        host.copy_in(trust(folder / "keys"), KEYS)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method on the control socket."""
        with ManagerClient(str(self.root / "run/opmas/manager.sock"), timeout=60) as client:
            return client.call(method, **params)

    def feign_pressure(self, cpu: float = 0.0) -> None:
        """Have OPMAS read this pressure: that of a lab host is the machine's, of all its work."""
        for name, figure in (("cpu", cpu), ("memory", 0.0), ("io", 0.0)):
            text = f"some avg10={figure:.2f} avg60=0.00 avg300=0.00 total=0\n"
            self.write(f"{PRESSURE}/{name}", text)
        if (self.root / DROP_IN[1:]).exists():
            return
        self.write(DROP_IN, f"[Service]\nBindReadOnlyPaths={PRESSURE}:/proc/pressure\n")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "opmas-manager")

    def write(self, path: str, text: str) -> None:
        self.host.run("sh", "-c", 'mkdir -p "${1%/*}"; cat > "$1"', "sh", path, input=text)

    def give_disk(self, name: str, size: str) -> None:
        """Give the agent's data a file system of its own, before the agent is made."""
        place = f"{DATA}/{name}"
        mount = 'mkdir -p -m 700 "$1" && mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1"'
        self.host.run("sh", "-c", mount, "sh", place, size)

    def install(self, bundle: Path) -> dict[str, Any]:
        """Have the bundle installed; the change, when it has ended."""
        path = f"/root/{bundle.name}"
        self.host.copy_in(bundle, path)
        return self.ended(self.call("package.install", file=path)["change"])

    def supply(
        self, name: str, version: str = GOOD, fault: str = "", **keys: Any
    ) -> dict[str, Any]:
        """Make a version of the package and install it; the change."""
        return self.install(make_version(self.folder, name, version, fault, **keys))

    def declare(self, name: str, package: str = "", **wanted: Any) -> None:
        """Declare an agent of the good version."""
        wanted = {"version": GOOD, "window": 0, **wanted}
        self.call("agent.put", name=name, package=package or name, **wanted)

    def create(self, name: str, **wanted: Any) -> None:
        """Declare an agent of the good version and wait until it serves."""
        self.declare(name, **wanted)
        self.serving(name)

    def failing(self, name: str) -> None:
        """Wait until systemd has given the agent up."""
        gave_up = {"backoff", "failed"}
        wait_for(lambda: self.show(name)["phase"] in gave_up, SERVES, f"{name} fails", DELAY)

    def show(self, name: str) -> dict[str, Any]:
        return self.call("agent.show", name=name)

    def serving(self, name: str, version: str = GOOD, timeout: float = SERVES) -> dict[str, Any]:
        """Wait until the agent runs this version and is well, whatever it went through lately."""

        def look() -> dict[str, Any] | None:
            view = self.show(name)
            unwell = {fact["name"] for fact in view["health_facts"] if fact["status"] != "healthy"}
            there = (view["phase"], view["version"])
            return view if there == ("running", version) and unwell <= {"restarts"} else None

        return wait_for(look, timeout, f"{name} {version} serves", DELAY)

    def update(self, name: str, **wanted: Any) -> dict[str, Any]:
        """Begin to update the agent to the newest version; the change."""
        change: dict[str, Any] = self.call("agent.update", name=name, **wanted)["change"]
        return change

    def ended(self, change: dict[str, Any], timeout: float = ENDED) -> dict[str, Any]:
        """Wait until the change has ended, and return it as it is then."""
        deadline = time.monotonic() + timeout
        while change["state"] not in FINAL:
            assert time.monotonic() < deadline, f"change not ended: {change}"
            change = self.call("change.show", id=change["id"], seen=change["serial"], wait=10)
            change = change.get("change", change)
        return change

    def counted(self, name: str) -> dict[str, Any] | None:
        """Return what the agent keeps in its data, if that can be read."""
        try:
            text = (self.root / DATA[1:] / name / "state.json").read_text()
            found: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            return None
        return found

    def counts(self, name: str, more: int, timeout: float = SERVES) -> dict[str, Any]:
        """Wait until the agent's own counter grew by so much, and return its data then."""
        begin = (self.counted(name) or {"count": 0})["count"]

        def look() -> dict[str, Any] | None:
            found = self.counted(name)
            return found if found is not None and found["count"] >= begin + more else None

        return wait_for(look, timeout, f"{name} counts on", DELAY)

    def last_event(self) -> int:
        last: int = self.call("host.status")["events"]["last"]
        return last

    def log(self, after: int) -> list[dict[str, Any]]:
        """Return all events since that one."""
        found: list[dict[str, Any]] = []
        while more := self.call("event.list", after=after, limit=1000)["events"]:
            found += more
            after = more[-1]["sequence"]
        return found
