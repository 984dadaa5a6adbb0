"""OPMAS on a lab host, driven as its users drive it: `opmas`, `systemctl`, REST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.client.control import ManagerClient
from opmas.errors import ManagerError
from tests.lab import wait_for

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.lab import Host

AGENTS: Final = Path(__file__).resolve().parents[2] / "agents"
SETTLED: Final = 30.0  # seconds; generous, for a machine that does other things too


def add_test_agents(host: Host) -> None:
    """Give the host the agents of tests/agents as a second directory of packages."""
    host.copy_in(AGENTS, "/opt/agents")
    host.run("chmod", "-R", "a+rX", "/opt/agents")
    settings = "manager:\n  packages_path: [/usr/lib/opmas/agents, /opt/agents]\n"
    (host.root / "etc/opmas/opmas.yaml").write_text(settings)
    host.run("systemctl", "restart", "opmas-manager")


class Opmas:
    """One host's OPMAS."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 120
    ) -> CompletedProcess[str]:
        return self.host.run("opmas", *arguments, check=check, timeout=timeout)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def create(self, name: str, package: str, **config: object) -> dict[str, Any]:
        """Create an agent, wait until it has settled, however, and return its view."""
        sets = [f"--set={key}={json.dumps(value)}" for key, value in config.items()]
        arguments = ("agent", "create", name, "--package", package, "--grant-all", *sets)
        done = self.run(*arguments, check=False)
        assert name in [a["name"] for a in self.call("agent.list")["agents"]], done.stderr
        return self.show(name)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method on the control socket, through the host's file system."""
        socket = self.host.root / "run/opmas/manager.sock"
        with ManagerClient(str(socket), timeout=60) as client:
            return client.call(method, **params)

    def show(self, name: str) -> dict[str, Any]:
        return self.call("agent.show", name=name)

    def status(self) -> dict[str, Any]:
        return self.call("host.status")

    def events(self, after: int = 0, **filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("event.list", after=after, limit=1000, **filters)[
            "events"
        ]
        return found

    def last_event(self) -> int:
        last: int = self.status()["events"]["last"]
        return last

    def wait_phase(self, name: str, phase: str, timeout: float = SETTLED) -> dict[str, Any]:
        return self.wait(name, lambda view: view["phase"] == phase, f"{name} is {phase}", timeout)

    def wait_new_pid(self, name: str, old: int, timeout: float = SETTLED) -> dict[str, Any]:
        def is_new(view: dict[str, Any]) -> bool:
            return view["phase"] == "running" and view["main_pid"] not in {None, old}

        return self.wait(name, is_new, f"{name} runs anew", timeout)

    def wait(
        self, name: str, condition: Any, what: str, timeout: float = SETTLED
    ) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            view = self.show(name)
            return view if condition(view) else None

        return wait_for(look, timeout, what)

    def wait_event(self, after: int, timeout: float = SETTLED, **expected: Any) -> dict[str, Any]:
        """Wait for an event of the type and subject, with the data that is expected."""
        kind, subject = expected.pop("type"), expected.pop("subject")

        def look() -> dict[str, Any] | None:
            for event in self.events(after, type=kind):
                same = all(event["data"].get(k) == v for k, v in expected.items())
                if event["subject"] == subject and same:
                    return event
            return None

        return wait_for(look, timeout, f"{kind} of {subject} with {expected}")

    def up(self, timeout: float = SETTLED) -> dict[str, Any]:
        """Wait until the manager answers, and return its status."""

        def look() -> dict[str, Any] | None:
            try:
                return self.status()
            except ManagerError:
                return None

        return wait_for(look, timeout, "the manager answers")

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        return self.host.run("systemctl", *arguments, check=check).stdout

    def property(self, unit: str, name: str) -> str:
        return self.systemctl("show", "-P", name, unit).strip()

    def main_pids(self, *names: str) -> dict[str, str]:
        return {n: self.property(f"opmas-agent@{n}", "MainPID") for n in names}
