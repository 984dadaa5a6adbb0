"""A host whose agents are at work, and what must be true of it after any blow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.lab import wait_for
from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host

PACKAGES: Final = {"watch": "hostwatch", "idle": "minimal", "program": "exec-sleep"}
HEALTH: Final = ("curl", "-sf", "-m", "5", "http://127.0.0.1:8420/v1/health")


class Scene:
    """A host with agents, each of which ran before the blow."""

    def __init__(self, opmas: Opmas) -> None:
        self.opmas = opmas
        self.host = opmas.host
        for name in PACKAGES:
            opmas.wait_phase(name, "running")
        self.pids = opmas.main_pids(*PACKAGES)
        self.manager = opmas.property("opmas-manager", "MainPID")
        self.last_event = opmas.last_event()

    def main_pid(self, unit: str) -> str:
        return self.opmas.property(unit, "MainPID")

    def started(self, unit: str) -> str:
        """Return the unit's main process, once there is one: the API's comes with a request."""
        self.opmas.systemctl("start", unit)
        pid = self.main_pid(unit)
        assert pid != "0"  # to kill(2), that is everyone in the test's own process group
        return pid

    def signal(self, unit: str, signal: str) -> None:
        """Send a signal to the unit's main process, past systemd's own bookkeeping."""
        self.host.run("kill", f"-{signal}", self.started(unit))

    def no_agent_was_touched(self) -> bool:
        return self.opmas.main_pids(*PACKAGES) == self.pids

    def all_is_well(self, timeout: float = 60) -> bool:
        """Wait until the manager knows its agents, the API answers and a crash is noticed."""
        opmas = self.opmas
        opmas.up(timeout)
        wait_for(self._all_run, timeout, "all agents are known to run")
        wait_for(lambda: self.host.run(*HEALTH, check=False).returncode == 0, timeout, "the API")
        wait_for(lambda: opmas.status()["state"] == "ok", timeout, "no problem is left")
        return self._crash_is_noticed() and self._log_has_no_gap()

    def _all_run(self) -> bool:
        agents = {a["name"]: a["phase"] for a in self.opmas.call("agent.list")["agents"]}
        return all(agents.get(name) == "running" for name in PACKAGES)

    def _crash_is_noticed(self) -> bool:
        opmas = self.opmas
        pid, last = opmas.show("program")["main_pid"], opmas.last_event()
        opmas.systemctl("kill", "-s", "KILL", "opmas-agent@program")
        opmas.wait_event(last, type="opmas.agent.exited", subject="agent/program", main_pid=pid)
        opmas.wait_new_pid("program", pid)
        return True

    def _log_has_no_gap(self) -> bool:
        """See that each number since is there, but for those that are said to be gone, and why."""
        told = self.opmas.call("event.list", after=self.last_event, limit=1000)
        gone = {
            number
            for hole in told.get("dropped", [])
            for number in range(hole["first"], hole["last"] + 1)
            if hole["reason"] == "restored"
        }
        there = [event["sequence"] for event in told["events"]]
        wanted = range(self.last_event + 1, there[-1] + 1)
        return [n for n in wanted if n not in gone] == there


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    add_test_agents(shared_host)
    opmas = Opmas(shared_host)
    for name, package in PACKAGES.items():
        opmas.create(name, package)
    return opmas


@pytest.fixture
def scene(opmas: Opmas) -> Scene:
    # so many blows in a row are no crash loop of the manager
    opmas.systemctl("reset-failed", "opmas-manager", "opmas-api", "systemd-journald", "dbus",
                    check=False)  # fmt: skip
    return Scene(opmas)
