"""A host whose manager fails, as its admin sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.lab import wait_for

if TYPE_CHECKING:
    from tests.lab import Host

MANAGER: Final = "opmas-manager.service"
RESCUE: Final = "opmas-rescue.service"
AGENT: Final = "opmas-agent@hostwatch.service"
DROP_IN: Final = f"/etc/systemd/system/{MANAGER}.d"
GIVEN_UP_WITHIN: Final = 60.0


class Stage:
    """The host, by what systemd and `opmas` say of it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def show(self, unit: str, name: str) -> str:
        return self.host.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def is_active(self, unit: str) -> bool:
        return self.show(unit, "ActiveState") == "active"

    def wait_active(self, unit: str, timeout: float = GIVEN_UP_WITHIN) -> None:
        wait_for(lambda: self.is_active(unit), timeout, f"{unit} is active", delay=0.3)

    def run_of(self, unit: str) -> str:
        """What identifies the unit's present run."""
        return self.show(unit, "InvocationID")

    def break_manager(self, *settings: str) -> None:
        """Have the manager's unit run something else from its next start on."""
        text = "\n".join(("[Service]", "ExecStart=", "NotifyAccess=all", *settings, ""))
        self.host.run("mkdir", "-p", DROP_IN)
        self.host.run("tee", f"{DROP_IN}/broken.conf", input=text)
        self.host.run("systemctl", "daemon-reload")

    def mend_manager(self) -> None:
        self.host.run("rm", f"{DROP_IN}/broken.conf")
        self.host.run("systemctl", "daemon-reload")

    def power_cycle(self) -> None:
        self.host.run("sync")
        self.host.kill()
        self.host.boot()

    def journal(self, unit: str) -> str:
        return self.host.run("journalctl", "-b", "-o", "cat", "-u", unit).stdout

    def read(self, path: str) -> dict[str, Any] | None:
        done = self.host.run("cat", path, check=False)
        return None if done.returncode else dict(json.loads(done.stdout))

    def status(self) -> str:
        done = self.host.run("opmas", "status", check=False)
        return done.stdout + done.stderr

    def events(self, kind: str) -> list[dict[str, Any]]:
        done = self.host.run("opmas", "events", "--type", kind, "--json")
        return list(json.loads(done.stdout)["events"])
