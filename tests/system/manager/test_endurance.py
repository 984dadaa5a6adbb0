"""Whatever is killed, full, broken or away: agents stay, and the state comes right again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.lab import wait_for

if TYPE_CHECKING:
    from tests.system.manager.opmas import Opmas

FULL = {"database-unavailable", "disk-full"}
AGENTS: Final = ("hostwatch", "idle", "program")
RIGHT_AGAIN: Final = 8.0  # seconds on a busy machine; tests/bench measures the figure itself


@pytest.fixture(scope="module")
def running(opmas: Opmas) -> Opmas:
    for name, package in zip(AGENTS, ("hostwatch", "minimal", "exec-sleep"), strict=True):
        opmas.create(name, package)
    return opmas


@pytest.fixture
def before(running: Opmas) -> dict[str, str]:
    """The main PIDs of the agents before the blow; all of them run."""
    for name in AGENTS:
        running.wait_phase(name, "running")
    return running.main_pids(*AGENTS)


def all_run(opmas: Opmas) -> bool:
    agents = {a["name"]: a["phase"] for a in opmas.call("agent.list")["agents"]}
    return all(agents.get(name) == "running" for name in AGENTS)


def test_a_killed_manager_is_back_and_right_and_no_agent_restarts(running: Opmas, before):
    opmas = running
    pid = opmas.property("opmas-manager", "MainPID")

    opmas.host.run("kill", "-KILL", pid)
    wait_for(lambda: opmas.property("opmas-manager", "MainPID") not in {"0", pid}, 10, "a new one")
    started = time.monotonic()
    opmas.up()
    wait_for(lambda: all_run(opmas), 10, "all agents are known again")

    assert time.monotonic() - started < RIGHT_AGAIN
    assert opmas.main_pids(*AGENTS) == before


def test_a_hung_manager_is_restarted_by_its_watchdog_and_no_agent_restarts(running: Opmas, before):
    opmas = running
    pid = opmas.property("opmas-manager", "MainPID")

    opmas.host.run("kill", "-STOP", pid)
    wait_for(lambda: opmas.property("opmas-manager", "MainPID") not in {"0", pid}, 60, "a new one")
    opmas.up()

    assert opmas.main_pids(*AGENTS) == before


def test_a_killed_api_is_back_and_no_agent_restarts(running: Opmas, before):
    opmas = running
    health = ("curl", "-sf", "http://127.0.0.1:8420/v1/health")
    opmas.host.run(*health)
    pid = opmas.property("opmas-api", "MainPID")

    opmas.host.run("kill", "-KILL", pid)

    wait_for(lambda: opmas.host.run(*health, check=False).returncode == 0, 20, "the API answers")
    assert opmas.main_pids(*AGENTS) == before


def test_a_restarted_bus_touches_neither_agents_nor_the_manager(running: Opmas, before):
    opmas = running
    manager = opmas.property("opmas-manager", "MainPID")

    opmas.systemctl("kill", "-s", "KILL", "dbus")
    opmas.systemctl("reset-failed", "dbus", check=False)
    opmas.systemctl("start", "dbus")

    assert opmas.status()["systemd"]["connection"] == "private"
    assert opmas.property("opmas-manager", "MainPID") == manager
    assert opmas.main_pids(*AGENTS) == before
    crash_is_seen(opmas)


@pytest.mark.parametrize("verb", ["daemon-reexec", "daemon-reload"])
def test_systemd_reads_itself_anew_and_the_manager_goes_on(running: Opmas, before, verb: str):
    opmas = running
    manager = opmas.property("opmas-manager", "MainPID")

    opmas.systemctl(verb)
    wait_for(lambda: all_run(opmas), 10, "all agents are known again")

    assert opmas.property("opmas-manager", "MainPID") == manager
    assert opmas.main_pids(*AGENTS) == before
    crash_is_seen(opmas)


def crash_is_seen(opmas: Opmas) -> None:
    """Kill one agent, and see that it is noticed and runs again: the manager still listens."""
    pid, last = opmas.show("idle")["main_pid"], opmas.last_event()
    opmas.systemctl("kill", "-s", "KILL", "opmas-agent@idle")
    opmas.wait_event(last, type="opmas.agent.exited", subject="agent/idle", main_pid=pid)
    opmas.wait_new_pid("idle", pid)


def test_a_deleted_database_is_made_anew_and_nothing_of_the_agents_is_lost(running: Opmas, before):
    opmas = running
    opmas.call("agent.put", name="idle", package="minimal", limits={"tasks_max": 33})
    last = opmas.last_event()

    opmas.host.run("sh", "-c", "rm /var/lib/opmas/manager.db*")

    opmas.wait_event(last, type="opmas.manager.problem", subject="manager", code="database-lost")
    opmas.host.run("test", "-s", "/var/lib/opmas/manager.db")
    assert opmas.main_pids(*AGENTS) == before
    opmas.systemctl("restart", "opmas-manager")
    opmas.up()
    assert opmas.show("idle")["limits"]["tasks_max"] == 33


def test_a_corrupted_database_is_moved_aside_and_rebuilt(running: Opmas, before):
    opmas = running
    opmas.systemctl("stop", "opmas-manager")
    opmas.host.run("sh", "-c", "head -c 30000 /dev/urandom > /var/lib/opmas/manager.db")

    opmas.systemctl("start", "opmas-manager")
    opmas.up()
    wait_for(lambda: all_run(opmas), 10, "all agents are known again")

    assert opmas.main_pids(*AGENTS) == before
    problem = opmas.wait_event(0, type="opmas.manager.problem", subject="manager")
    assert "damaged" in problem["data"]["message"]
    opmas.host.run("sh", "-c", "ls /var/lib/opmas/manager.db.damaged-*")


def test_a_full_disk_stops_nothing_and_is_said_until_it_is_over(running: Opmas, before):
    opmas = running
    full_disk(opmas)
    pid, last = opmas.show("idle")["main_pid"], opmas.last_event()

    opmas.systemctl("kill", "-s", "KILL", "opmas-agent@idle")
    opmas.wait_new_pid("idle", pid)
    problems = opmas.status()["problems"]
    refused = opmas.run("agent", "create", "late", "--package", "minimal", check=False)
    opmas.host.run("rm", "/var/lib/opmas/filler")
    wait_for(lambda: not codes(opmas) & FULL, 20, "the problem is over")

    said = {p["code"]: p["message"] for p in problems}
    assert "full" in said["database-unavailable"]
    assert refused.returncode != 0
    assert "full" in refused.stderr
    assert opmas.wait_event(last, type="opmas.agent.exited", subject="agent/idle", main_pid=pid)
    kept = opmas.main_pids(*AGENTS)
    assert {n: kept[n] for n in ("hostwatch", "program")} == {
        n: before[n] for n in ("hostwatch", "program")
    }


def codes(opmas: Opmas) -> set[str]:
    """Return the problems of the host by their codes."""
    return {problem["code"] for problem in opmas.status()["problems"]}


def full_disk(opmas: Opmas) -> None:
    """Put the state directory on a small disk of its own, and fill it to the last byte."""
    opmas.systemctl("stop", "opmas-manager")
    move = (
        "cp -a /var/lib/opmas /root/state",
        "mount -t tmpfs -o size=2m,mode=700 tmpfs /var/lib/opmas",
        "cp -a /root/state/. /var/lib/opmas/",
        "rm -r /root/state",
    )
    opmas.host.run("sh", "-ec", "; ".join(move))
    opmas.systemctl("start", "opmas-manager")
    opmas.up()
    opmas.host.run("sh", "-c", "cat /dev/zero > /var/lib/opmas/filler || true", check=False)


def test_a_reboot_starts_the_agents_that_should_run_and_no_other(own_opmas: Opmas):
    opmas = own_opmas
    for name, package in zip(AGENTS, ("hostwatch", "minimal", "exec-sleep"), strict=True):
        opmas.create(name, package)
    opmas.create("off", "minimal")
    opmas.run("agent", "stop", "off")
    opmas.systemctl("stop", "opmas-agent@idle")
    opmas.wait_phase("idle", "stopped")

    opmas.host.kill()
    opmas.host.boot()
    opmas.up()
    views: dict[str, Any] = {name: opmas.wait_phase(name, "running") for name in AGENTS}

    assert views["idle"]["held_by"] is None, "a hold ends with the boot, as for any unit"
    assert opmas.show("off")["phase"] == "stopped"
    assert opmas.status()["problems"] == []
    assert opmas.run("doctor", check=False).returncode == 0
