"""Limits that the manager learns and sets by itself, on a real systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import wait_for
from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host

MIB = 1 << 20
NAME = "steady"
UNIT = f"opmas-agent@{NAME}.service"
LEARNED = 120.0  # seconds; 36 are asked for
SETTINGS = """
usage: {interval: 1}
changes: {watch: 0.1}
limits: {learn: LEARN, learn_after: 0.01}
"""
# what `minimal` needs is below the least that is ever proposed
FITTING = {"memory_max": 32 * MIB, "tasks_max": 16, "cpu_quota": 50}


def use(host: Host, learn: str) -> None:
    """Have the manager learn, with that policy, as fast as it may."""
    settings = host.root / "etc/opmas/opmas.yaml"
    others = settings.read_text().partition("\nusage:")[0]
    settings.write_text(others + SETTINGS.replace("LEARN", learn))
    host.run("systemctl", "restart", "opmas-manager")


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    """OPMAS on a host whose policy is to propose, with an agent that uses little, steadily."""
    add_test_agents(shared_host)
    use(shared_host, "propose")
    opmas = Opmas(shared_host)
    opmas.up()
    opmas.run("agent", "create", NAME, "--package", "minimal", "--window", "0")
    opmas.wait_phase(NAME, "running")
    return opmas


def proposed(opmas: Opmas) -> dict[str, int]:
    found: dict[str, int] = opmas.json("agent", "limits", NAME)["agents"][0]["proposed"]
    return found


def by_manager(opmas: Opmas) -> dict[str, Any] | None:
    """The change by which the manager gave the agent limits, once it is kept."""
    changes = opmas.json("change", "list", "--agent", NAME)["changes"]
    found = [c for c in changes if c["author"] == "manager" and c["state"] == "committed"]
    return found[0] if found else None


def memory_max(opmas: Opmas) -> int:
    """What the kernel holds the agent to."""
    group = f"opmas.slice/opmas-agents.slice/{UNIT}"
    paths = f"memory/{group}/memory.limit_in_bytes", f"{group}/memory.max"
    done = opmas.host.run("cat", *(f"/sys/fs/cgroup/{path}" for path in paths), check=False)
    return int(done.stdout)


def test_limits_that_fit_are_proposed_once_enough_was_seen(opmas: Opmas):
    before = opmas.show(NAME)
    told = opmas.wait_event(0, LEARNED, type="opmas.limits.proposed", subject=f"agent/{NAME}")

    text = opmas.run("agent", "limits", NAME).stdout

    assert told["data"]["limits"].items() >= FITTING.items()
    assert proposed(opmas).items() >= FITTING.items()
    assert "opmas agent limits NAME --apply" in text
    assert opmas.property(UNIT, "MemoryMax") == str(256 * MIB)
    assert opmas.show(NAME)["main_pid"] == before["main_pid"]


def test_a_host_that_says_so_gives_them_to_the_running_agent_as_a_change(opmas: Opmas):
    before = opmas.show(NAME)
    use(opmas.host, "apply")
    opmas.up()
    change = wait_for(lambda: by_manager(opmas), LEARNED, "the manager sets limits", 1.0)

    after = opmas.show(NAME)

    assert (change["kind"], change["subject"]) == ("limits", f"agent/{NAME}")
    assert (after["main_pid"], after["restarts"]) == (before["main_pid"], before["restarts"])
    assert (
        opmas.property(UNIT, "MemoryMax") == str(FITTING["memory_max"]) == str(memory_max(opmas))
    )
    assert opmas.property(UNIT, "TasksMax") == str(FITTING["tasks_max"])
    assert opmas.property(UNIT, "CPUQuotaPerSecUSec") == "500ms"
    assert {after["limits_origin"][name] for name in FITTING} == {"learned"}
    assert not after["needs_restart"]
    assert proposed(opmas) == {}


def test_what_it_set_is_undone_while_the_agent_runs_and_left_so(opmas: Opmas):
    before = opmas.show(NAME)
    change = by_manager(opmas)
    assert change is not None
    opmas.run("change", "undo", str(change["id"]))

    after = opmas.show(NAME)
    windows = opmas.json("agent", "limits", NAME)["agents"][0]["learned"]["hours"]
    wait_for(
        lambda: opmas.json("agent", "limits", NAME)["agents"][0]["learned"]["hours"] > windows,
        LEARNED, "it is watched for another while", 1.0,
    )  # fmt: skip

    assert after["main_pid"] == before["main_pid"] == opmas.show(NAME)["main_pid"]
    assert opmas.property(UNIT, "MemoryMax") == str(256 * MIB) == str(memory_max(opmas))
    assert opmas.property(UNIT, "TasksMax") == "64"
    assert {opmas.show(NAME)["limits_origin"][name] for name in FITTING} == {"template"}
    opmas.run("agent", "remove", NAME, "--yes", "--purge")
