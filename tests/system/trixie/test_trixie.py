"""OPMAS on Debian 13: the packages as they are for Debian 12, a newer systemd, a newer Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab import Host, wait_for
from tests.system.install import install
from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20
UNITS = ("opmas-manager.service", "opmas-api.service", "opmas-agent@.service", "opmas.slice")
# what systemd says of a setting that it does not know, or does not take
REFUSALS = ("Unknown key", "Unknown lvalue", "Unknown section", "Failed to parse", ", ignoring")


@pytest.fixture(scope="module")
def opmas(debs: Path) -> Iterator[Opmas]:
    """OPMAS on a host of Debian 13."""
    with Host.up("trixie", suite="trixie") as host:
        install(host, debs)
        add_test_agents(host)
        yield Opmas(host)


def pause(opmas: Opmas, name: str) -> int:
    """How many microseconds systemd waits before its next restart of the agent."""
    unit = f"/org/freedesktop/systemd1/unit/opmas_2dagent_40{name}_2eservice"
    wanted = ("org.freedesktop.systemd1", unit, "org.freedesktop.systemd1.Service")
    text = opmas.host.run("busctl", "get-property", *wanted, "RestartUSecNext").stdout
    return int(text.split()[1])


def crash(opmas: Opmas, name: str) -> int:
    """Kill the agent, see systemd start it anew, and return the pause of the next time."""
    before = opmas.show(name)["main_pid"]
    opmas.host.run("kill", "-9", str(before))
    opmas.wait_new_pid(name, before)
    return pause(opmas, name)


def test_the_packages_for_debian_12_install_and_work(opmas: Opmas):
    system = opmas.host.run("cat", "/etc/os-release").stdout
    checks = opmas.json("doctor")["checks"]
    answer = opmas.host.run(
        "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8420/v1/agents"
    ).stdout

    assert 'VERSION_ID="13"' in system
    assert int(opmas.status()["systemd"]["version"].split(".")[0]) >= 257
    assert [check for check in checks if check["status"] == "failed"] == []
    assert answer == "401"


def test_systemd_s_own_restarts_come_ever_later(opmas: Opmas):
    opmas.create("frail", "minimal")
    unit = "opmas-agent@frail.service"
    wanted = [opmas.property(unit, name) for name in ("RestartSteps", "RestartMaxDelayUSec")]
    at_first = pause(opmas, "frail")

    pauses = [crash(opmas, "frail") for _ in range(3)]

    after = opmas.show("frail")
    assert wanted == ["4", "3s"]
    assert at_first == 100_000
    assert 100_000 < pauses[0] < pauses[1] < pauses[2] < 3_000_000
    assert (after["restarts"], after["last_exit"]["signal"]) == (3, "SIGKILL")
    opmas.run("agent", "remove", "frail", "--yes", "--purge")


def test_an_agent_that_goes_on_crashing_reaches_the_start_limit_all_the_same(opmas: Opmas):
    after = opmas.last_event()
    opmas.create("crasher", "crasher")

    given_up = opmas.wait_phase("crasher", "backoff")

    exits = opmas.events(after, type="opmas.agent.exited")
    assert given_up["reason"] == "crashed"
    assert len(exits) == 5
    wait_for(
        lambda: len(opmas.events(after, type="opmas.agent.exited")) > 5, 30, "it is tried again"
    )
    opmas.run("agent", "remove", "crasher", "--yes", "--purge")


def test_limits_change_while_the_agent_runs(opmas: Opmas):
    before = opmas.create("live", "minimal")
    wanted = ("--limit", "memory_max=80M", "--limit", "io_weight=300")
    opmas.run("agent", "update", "live", *wanted, "--window", "0")

    unit = "opmas-agent@live.service"
    found = [opmas.property(unit, name) for name in ("MemoryMax", "IOWeight", "MainPID")]

    assert found == [str(80 * MIB), "300", str(before["main_pid"])]
    opmas.run("agent", "remove", "live", "--yes", "--purge")


def test_systemd_takes_every_setting_that_opmas_writes(opmas: Opmas):
    opmas.create("known", "minimal")
    opmas.systemctl("daemon-reload")

    verified = opmas.host.run(
        "systemd-analyze", "verify", "--man=no", *UNITS, "opmas-agent@known.service", check=False
    )
    lines = opmas.host.run("journalctl", "-b", "-o", "json", "_PID=1").stdout.splitlines()

    said = [str(json.loads(line)["MESSAGE"]) for line in lines]
    assert verified.stderr == ""
    assert [text for text in said if any(refusal in text for refusal in REFUSALS)] == []
    opmas.run("agent", "remove", "known", "--yes", "--purge")
