"""OPMAS in a virtual machine, driven as its users drive it, and what must hold after any boot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.lab import wait_for
from tests.system.changes.packages import TRUSTED_KEYS, trust
from tests.system.install import APT, NAMES
from tests.vm.line import PowerLostError

if TYPE_CHECKING:
    from tests.vm.machine import Machine

HERE: Final = Path(__file__).parent
TEST_AGENTS: Final = HERE.parent / "agents"
DATABASE: Final = "/var/lib/opmas/manager.db"
DATA: Final = "/var/lib/private/opmas-agents"
DPKG_LOG: Final = "/var/log/dpkg.log"
STEPS: Final = "/opt/steps.py"
WATCH_CHANGES: Final = ("python3", STEPS, "changes", DATABASE)
WATCH_DPKG: Final = ("python3", STEPS, "dpkg", DPKG_LOG)
# Their packages cost the manager time at each start, so no more than are used.
TEST_PACKAGES: Final = ("exec-sleep",)
# An emulated processor is twenty times slower than those that the limits are made for.
SLOW: Final = "/etc/systemd/system/opmas-manager.service.d/slow.conf"
PATIENCE: Final = "[Service]\nTimeoutStartSec=10min\nWatchdogSec=5min\n"
SETTINGS: Final = "manager:\n  packages_path: [/usr/lib/opmas/agents, /opt/agents]\n"
INSTALLED: Final = 300.0  # seconds, ten times what it takes alone
SETTLED: Final = 120.0
STORY: Final = """
opmas status; opmas events; opmas change list; dpkg --audit
journalctl --boot --lines=150 --no-pager --unit='opmas*'
"""
LOOK: Final = 0.5  # each look is a program that an emulated processor starts


class Site:
    """One machine's OPMAS."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def install(self, debs: Path) -> None:
        """Install the packages of the directory, but for the optional ones, in one run of apt."""
        self.bring(debs, "/root/debs")
        files = [f"/root/debs/{path.name}" for path in packages_in(debs)]
        self.machine.run(*APT, "install", *files, timeout=INSTALLED)

    def bring(self, path: Path, to: str) -> str:
        self.machine.copy_in(path, to)
        return to

    def add_test_agents(self, keys: Path) -> None:
        """Give the machine the agents of the tests as packages, and trust in their bundles."""
        for name in TEST_PACKAGES:
            self.bring(TEST_AGENTS / name, f"/opt/agents/{name}")
        self.bring(HERE / "agents", "/opt/agents")
        self.bring(HERE / "steps.py", STEPS)
        self.bring(trust(keys), TRUSTED_KEYS)
        self.machine.run("chmod", "-R", "a+rX", "/opt/agents")
        self.machine.run("tee", "/etc/opmas/opmas.yaml", input=SETTINGS)
        self.machine.run("mkdir", "-p", str(Path(SLOW).parent))
        self.machine.run("tee", SLOW, input=PATIENCE)
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", "opmas-manager", timeout=INSTALLED)

    def opmas(self, *arguments: str, check: bool = True) -> str:
        return self.machine.run("opmas", *arguments, check=check, timeout=SETTLED).stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.opmas(*arguments, "--json", check=False))

    def agents(self) -> dict[str, dict[str, Any]]:
        return {agent["name"]: agent for agent in self.json("agent", "list")["agents"]}

    def agent(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json("agent", "show", name)
        return found

    def wait_agent(self, name: str, condition: Any, what: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            view = self.agent(name)
            return view if condition(view) else None

        return wait_for(look, SETTLED, f"{name} {what}", LOOK)

    def events(self, after: int = 0, *filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("events", "--after", str(after), *filters)[
            "events"
        ]
        return found

    def last_event(self) -> int:
        last: int = self.json("status")["host"]["events"]["last"]
        return last

    def wait_event(self, after: int, kind: str, *subjects: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.events(after, "--type", kind)
            return next((event for event in found if event["subject"] in subjects), None)

        return wait_for(look, SETTLED, f"{kind} of {subjects}", LOOK)

    def last_change(self) -> dict[str, Any]:
        """Return the newest change, once it has ended."""
        newest = self.json("change", "list", "--lines", "1")["changes"][0]["id"]
        found: dict[str, Any] = self.json("change", "wait", str(newest), "--timeout", "60")
        return found

    def data(self, name: str) -> dict[str, str]:
        """Return the files in an agent's data."""
        script = 'cd "$1" && for f in *; do printf "%s\\0%s\\0" "$f" "$(cat "$f")"; done'
        said = self.machine.run("sh", "-c", script, "sh", f"{DATA}/{name}").stdout
        words = said.split("\0")
        return dict(zip(words[:-1:2], words[1::2], strict=True))

    def story(self) -> str:
        """Return what OPMAS and the journal say, for who looks."""
        try:
            return self.machine.run("sh", "-c", STORY, check=False).stdout
        except (AssertionError, OSError, PowerLostError) as error:
            return f"no answer: {error}"

    def property(self, unit: str, name: str) -> str:
        return self.machine.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def folder(self, unit: str) -> str:
        """Return the unit's directory in the one hierarchy of cgroup v2."""
        return f"/sys/fs/cgroup{self.property(unit, 'ControlGroup')}"

    def cgroup(self, unit: str, file: str) -> int:
        """Return a figure that the kernel keeps for a unit."""
        return int(self.machine.run("cat", f"{self.folder(unit)}/{file}").stdout)

    def figures(self, unit: str, file: str) -> dict[str, int]:
        """Return the figures in a file of a unit's cgroup; none when the unit has ended."""
        said = self.machine.run("cat", f"{self.folder(unit)}/{file}", check=False).stdout
        return {name: int(value) for name, value in (line.split() for line in said.splitlines())}

    def packages(self) -> dict[str, list[str]]:
        """Return the versions that are here, by package."""
        found = self.json("package", "list")["packages"]
        return {each["name"]: [v["version"] for v in each["versions"]] for each in found}


def packages_in(debs: Path) -> list[Path]:
    """Return the files of the packages, but for those of optional agents."""
    return [path for name in NAMES for path in debs.glob(f"{name}_*.deb")]
