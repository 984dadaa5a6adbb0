"""An admin with the tools that every Debian host has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.manager.opmas import Opmas

UNIT = "opmas-agent@hostwatch"


@pytest.fixture(scope="module")
def opmas_with_hostwatch(opmas: Opmas) -> Opmas:
    assert opmas.create("hostwatch", "hostwatch")["phase"] == "running"
    return opmas


def test_systemctl_and_the_journal_tell_all_about_an_agent(opmas_with_hostwatch: Opmas):
    opmas = opmas_with_hostwatch

    status = opmas.systemctl("status", UNIT, "--no-pager")
    text = opmas.systemctl("cat", UNIT)
    journal = opmas.host.run("journalctl", "-u", UNIT, "-o", "json", "--no-pager").stdout

    assert "OPMAS agent hostwatch" in status
    assert "active (running)" in status
    assert 'Status: "' in status
    assert "max: 64.0M" in status
    assert "opmas-agents.slice" in status
    assert "Written by opmas-manager" in text
    entries = [json.loads(line) for line in journal.splitlines()]
    assert any("OPMAS_AGENT" in entry for entry in entries)


def test_a_stop_with_systemctl_is_honoured_and_a_start_takes_it_back(opmas_with_hostwatch: Opmas):
    opmas = opmas_with_hostwatch

    opmas.systemctl("stop", UNIT)
    held = opmas.wait_phase("hostwatch", "stopped")
    listed = opmas.run("agent", "list").stdout
    opmas.run("agent", "start", "hostwatch")

    assert (held["held_by"], held["reason"]) == ("systemctl", "held-by-systemctl")
    assert "held by systemctl" in listed
    assert opmas.show("hostwatch")["phase"] == "running"


def test_a_start_with_systemctl_releases_what_is_held(opmas_with_hostwatch: Opmas):
    opmas = opmas_with_hostwatch
    opmas.systemctl("stop", UNIT)
    opmas.wait_phase("hostwatch", "stopped")

    opmas.systemctl("start", UNIT)

    view = opmas.wait_phase("hostwatch", "running")
    assert view["held_by"] is None


def test_a_restart_with_systemctl_is_no_hold(opmas_with_hostwatch: Opmas):
    opmas = opmas_with_hostwatch
    before = opmas.show("hostwatch")

    opmas.systemctl("restart", UNIT)

    view = opmas.wait_new_pid("hostwatch", before["main_pid"])
    assert view["held_by"] is None


def test_a_killed_agent_comes_back_by_itself_and_how_it_ended_is_kept(opmas_with_hostwatch: Opmas):
    opmas = opmas_with_hostwatch
    before, last = opmas.show("hostwatch"), opmas.last_event()

    opmas.systemctl("kill", "-s", "KILL", UNIT)
    view = opmas.wait_new_pid("hostwatch", before["main_pid"])

    told = opmas.wait_event(last, type="opmas.agent.exited", subject="agent/hostwatch")
    assert told["data"] == {
        "code": "killed",
        "status": 9,
        "signal": "SIGKILL",
        "result": "signal",
        "main_pid": before["main_pid"],
        "oom": False,
    }
    assert opmas.property(UNIT, "Result") == "success", "systemd has forgotten it"
    assert view["last_exit"]["signal"] == "SIGKILL"


def test_the_exit_code_of_a_crash_is_kept_too(opmas: Opmas):
    last = opmas.last_event()

    opmas.create("crasher", "crasher", after=0.2, code=41)

    told = opmas.wait_event(last, type="opmas.agent.exited", subject="agent/crasher")
    assert (told["data"]["code"], told["data"]["status"]) == ("exited", 41)


def test_a_crash_loop_waits_and_says_when_it_goes_on(opmas: Opmas):
    opmas.create("looper", "crasher", after=0, code=3)

    view = opmas.wait_phase("looper", "backoff")

    assert view["reason"] == "crashed"
    assert "started again in" in opmas.run("agent", "explain", "looper").stdout


def test_an_exit_that_says_do_not_restart_is_final(opmas: Opmas):
    opmas.create("misconfigured", "crasher", after=0.2, code=78)

    view = opmas.wait_phase("misconfigured", "failed")

    assert (view["reason"], view["restarts"]) == ("config-error", 0)


@pytest.mark.parametrize("kind", ["stopped by a signal", "worker", "run"])
def test_a_hung_agent_is_killed_by_its_watchdog_and_runs_again(opmas: Opmas, kind: str):
    name = f"hung-{kind.split(maxsplit=1)[0]}"
    last = opmas.last_event()

    if kind == "stopped by a signal":
        opmas.create(name, "stuck", rounds=0)
        opmas.systemctl("kill", "-s", "STOP", f"opmas-agent@{name}")
    else:
        opmas.create(name, "stuck", rounds=3, where=kind)

    told = opmas.wait_event(last, type="opmas.agent.exited", subject=f"agent/{name}")
    assert told["data"]["result"] == "watchdog"
    opmas.wait_new_pid(name, told["data"]["main_pid"])


def test_a_program_that_knows_nothing_of_opmas_is_an_agent(opmas: Opmas):
    view = opmas.create("program", "exec-sleep")

    assert (view["phase"], view["health"]) == ("running", "healthy")
    assert opmas.property("opmas-agent@program", "Type") == "exec"


def test_a_name_that_nobody_declared_fails_at_once_and_says_what_to_do(opmas: Opmas):
    done = opmas.host.run("systemctl", "start", "opmas-agent@nobody", check=False)

    journal = opmas.host.run("journalctl", "-u", "opmas-agent@nobody", "--no-pager").stdout
    assert done.returncode != 0
    assert "opmas agent create" in journal


def test_a_masked_agent_is_not_started_and_the_reason_is_said(opmas: Opmas):
    opmas.create("masked", "exec-sleep")
    opmas.run("agent", "stop", "masked")
    opmas.systemctl("mask", "opmas-agent@masked")

    opmas.run("agent", "start", "masked", check=False)

    view = opmas.show("masked")
    assert (view["phase"], view["reason"]) == ("failed", "masked")


def test_no_new_and_no_changed_agent_needs_a_daemon_reload(opmas: Opmas):
    reloads = "journalctl -b --no-pager | grep -c 'systemd.*Reloading' || true"
    before = opmas.host.run("sh", "-c", reloads).stdout

    opmas.create("changing", "minimal")
    opmas.run("agent", "update", "changing", "--limit", "memory_max=100M")
    live = opmas.property("opmas-agent@changing", "MemoryMax")
    opmas.run("agent", "restart", "changing")

    assert live == str(100 << 20)
    assert opmas.property("opmas-agent@changing", "MemoryMax") == str(100 << 20)
    assert opmas.property("opmas-agent@changing", "NeedDaemonReload") == "no"
    assert opmas.host.run("sh", "-c", reloads).stdout == before


def test_a_new_config_reaches_the_running_agent(opmas: Opmas):
    before = opmas.create("live", "stuck", rounds=0)

    opmas.run("agent", "update", "live", "--set", "rounds=0", "--set", "lives=7")

    def took_it(view: dict[str, object]) -> bool:
        return view["config_version"] == 2 and view["needs_restart"] is False

    view = opmas.wait("live", took_it, "the agent has the new configuration")
    assert view["main_pid"] == before["main_pid"]


def test_the_health_of_a_program_is_what_its_check_finds(opmas: Opmas):
    opmas.create("checked", "checked")

    opmas.host.run("touch", "/etc/opmas-test-sick")
    sick = opmas.wait("checked", lambda view: view["health"] == "unhealthy", "it is unhealthy")
    opmas.host.run("rm", "/etc/opmas-test-sick")
    opmas.wait("checked", lambda view: view["health"] == "healthy", "it is healthy again")

    assert "journalctl -u opmas-probe@checked" in sick["health_message"]
    assert sick["phase"] == "running"
    assert opmas.systemctl("list-units", "--failed", "--no-legend", "opmas-probe@*") == ""


def test_a_removal_keeps_the_agents_data_unless_it_is_purged(opmas: Opmas):
    for name in ("kept", "purged"):
        opmas.create(name, "stuck", rounds=0)

    opmas.run("agent", "remove", "kept", "--yes")
    opmas.run("agent", "remove", "purged", "--purge", "--yes")

    left = opmas.host.run("ls", "/var/lib/private/opmas-agents").stdout.split()
    assert "kept" in left
    assert "purged" not in left
    units = opmas.host.run("ls", "/etc/systemd/system", "/var/lib/opmas/agents").stdout
    assert "kept" not in units
    assert "purged" not in units
