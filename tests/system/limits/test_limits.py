"""Limits, use and kills for memory on a real systemd and a real kernel."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from opmas.errors import InvalidError
from tests.lab import wait_for

if TYPE_CHECKING:
    from tests.system.manager.opmas import Opmas

MIB = 1 << 20
BURN = "while :; do :; done"
BUSY_SECONDS = 4.0
HOGS = 3
GROUPS = "/sys/fs/cgroup"


def exits(opmas: Opmas, name: str, after: int) -> list[dict[str, Any]]:
    found = opmas.events(after, type="opmas.agent.exited")
    return [event["data"] for event in found if event["subject"] == f"agent/{name}"]


def test_a_kill_for_memory_is_told_from_any_other(opmas: Opmas):
    after = opmas.last_event()
    opmas.create("eater", "misbehaver", how="take-all-memory", after=0.2)
    opmas.create("victim", "minimal")
    killed = wait_for(lambda: exits(opmas, "eater", after) or None, 30, "the eater is killed")[0]

    before = opmas.show("victim")["main_pid"]
    opmas.host.run("kill", "-9", str(before))
    opmas.wait_new_pid("victim", before)
    (by_hand,) = exits(opmas, "victim", after)
    given_up = opmas.wait_phase("eater", "backoff")

    assert (killed["signal"], killed["result"], killed["oom"]) == ("SIGKILL", "oom-kill", True)
    assert (by_hand["signal"], by_hand["result"], by_hand["oom"]) == ("SIGKILL", "signal", False)
    assert given_up["reason"] == "out-of-memory"
    opmas.run("agent", "remove", "eater", "victim", "--yes", "--purge")


def test_an_agent_that_leaks_says_so_before_it_is_killed(opmas: Opmas):
    after = opmas.last_event()
    opmas.create("leaker", "greedy", megabytes=1, interval=1.2)
    wait_for(lambda: exits(opmas, "leaker", after) or None, 90, "the leaker is killed")
    opmas.run("agent", "stop", "leaker")

    story = [event for event in opmas.events(after) if event["subject"] == "agent/leaker"]
    kinds = [event["type"] for event in story]
    signs = [e["data"]["signs"] for e in story if e["type"] == "opmas.agent.pressure"]
    assert kinds.index("opmas.agent.pressure") < kinds.index("opmas.agent.exited")
    assert "near-memory-limit" in {sign["code"] for sign in signs[0]}
    opmas.run("agent", "remove", "leaker", "--yes", "--purge")


def test_use_is_read_over_restarts_and_in_all_its_parts(opmas: Opmas):
    opmas.create("used", "minimal")
    first = opmas.show("used")
    opmas.host.run("kill", "-9", str(first["main_pid"]))
    opmas.wait_new_pid("used", first["main_pid"])

    again = opmas.show("used")

    listed = next(a for a in opmas.call("agent.list")["agents"] if a["name"] == "used")
    for view in (first, again):
        assert view["usage"]["memory_bytes"] > MIB
        assert view["usage"]["held_bytes"] > MIB
        assert view["usage"]["cpu_seconds"] > 0
        assert view["usage"]["tasks"] >= 1
        assert view["usage"]["open_files"] >= 3
    detail = again["usage_detail"]
    assert detail["memory_peak_bytes"] > MIB
    assert (detail["read_bytes"], detail["open_files_exact"]) == (detail["read_bytes"] or 0, True)
    assert detail["received_bytes"] is None
    assert listed["usage"]["tasks"] == again["usage"]["tasks"]
    opmas.run("agent", "remove", "used", "--yes", "--purge")


def test_the_network_is_counted_where_an_admin_says_so(opmas: Opmas):
    dropin = "[Service]\nIPAccounting=yes\n"
    path = "/etc/systemd/system/opmas-agent@netted.service.d/60-network.conf"
    opmas.host.run("install", "-D", "/dev/stdin", path, input=dropin)
    opmas.create("netted", "minimal")

    detail = opmas.show("netted")["usage_detail"]

    assert (detail["received_bytes"], detail["sent_bytes"]) == (0, 0)
    opmas.run("agent", "remove", "netted", "--yes", "--purge")


def test_limits_change_while_the_agent_runs_and_say_who_set_them(opmas: Opmas):
    before = opmas.create("live", "minimal")
    wanted = ("--limit", "memory_max=80M", "--limit", "io_weight=300")
    opmas.run("agent", "update", "live", *wanted, "--window", "0")

    after = opmas.show("live")

    unit = "opmas-agent@live.service"
    assert after["main_pid"] == before["main_pid"]
    assert opmas.property(unit, "MemoryMax") == str(80 * MIB)
    assert opmas.property(unit, "TasksMax") == "24"
    assert (opmas.property(unit, "IOWeight"), after["limits"]["io_weight"]) == ("300", 300)
    assert after["limits_origin"]["memory_max"] == "agent"
    assert after["limits_origin"]["tasks_max"] == "host"
    assert not after["needs_restart"]
    opmas.run("agent", "remove", "live", "--yes", "--purge")


def test_no_agent_gets_more_than_the_host_s_ceiling(opmas: Opmas):
    cut = opmas.create("cut", "minimal")

    with pytest.raises(InvalidError) as refused:
        opmas.call("agent.put", name="cut", package="minimal", limits={"memory_max": "97M"})

    assert (cut["limits"]["memory_max"], cut["limits_origin"]["memory_max"]) == (
        96 * MIB, "ceiling",
    )  # fmt: skip
    assert cut["limits_cut"] == {"memory_max": 256 * MIB}
    assert opmas.property("opmas-agent@cut.service", "MemoryMax") == str(96 * MIB)
    assert "limits.max_memory_max in opmas.yaml" in refused.value.problems[0]
    assert "ceiling, asked for 256M" in opmas.run("agent", "limits", "cut").stdout
    opmas.run("agent", "remove", "cut", "--yes", "--purge")


def test_agents_that_burn_all_cpus_leave_two_thirds_to_the_host(opmas: Opmas):
    names = [f"hog{number}" for number in range(HOGS)]
    with ThreadPoolExecutor(HOGS) as pool:
        list(pool.map(lambda name: opmas.create(name, "misbehaver", how="burn-cpu"), names))
    for number in range(HOGS):
        opmas.host.run("systemd-run", "--unit", f"service{number}", "sh", "-c", BURN)
    agents, services = shares(opmas)
    for number in range(HOGS):
        opmas.host.run("systemctl", "stop", f"service{number}")

    assert services / agents == pytest.approx(2, rel=0.35)  # CPUWeight=50 against 100
    opmas.run("agent", "remove", *names, "--yes", "--purge")


def shares(opmas: Opmas) -> tuple[float, float]:
    """Return the CPU seconds that agents and services get in the same while."""
    before = used(opmas)
    time.sleep(BUSY_SECONDS)
    after = used(opmas)
    return after[0] - before[0], after[1] - before[1]


def used(opmas: Opmas) -> tuple[float, float]:
    slices = ("opmas.slice", "system.slice")
    texts = [
        opmas.host.run("cat", f"{GROUPS}/unified/{each}/cpu.stat", check=False).stdout
        or opmas.host.run("cat", f"{GROUPS}/{each}/cpu.stat").stdout
        for each in slices
    ]
    first, second = (int(text.split()[1]) / 1e6 for text in texts)
    return first, second


def test_agents_together_cannot_take_more_memory_than_their_slice(opmas: Opmas):
    # half of the host's memory is too much to be taken in a test: the same rule, set lower
    opmas.systemctl("set-property", "--runtime", "opmas-agents.slice", "MemoryMax=120M")
    after = opmas.last_event()
    names = [f"eater{number}" for number in range(HOGS)]
    for name in names:
        opmas.create(name, "misbehaver", how="leak-memory")
    wait_for(lambda: any(exits(opmas, name, after) for name in names), 60, "one of them is killed")
    peak = slice_memory(opmas)
    opmas.systemctl("set-property", "--runtime", "opmas-agents.slice", "MemoryMax=50%")
    opmas.run("agent", "remove", *names, "--yes", "--purge")

    first = next(data for name in names for data in exits(opmas, name, after))
    assert first["oom"] is True
    assert peak <= 120 * MIB
    assert opmas.status()["state"] in {"ok", "attention"}
    assert opmas.property("opmas-agents.slice", "MemoryMax") != "infinity"


def slice_memory(opmas: Opmas) -> int:
    group = "opmas.slice/opmas-agents.slice"
    for path in (f"memory/{group}/memory.usage_in_bytes", f"{group}/memory.current"):
        done = opmas.host.run("cat", f"{GROUPS}/{path}", check=False)
        if done.returncode == 0:
            return int(done.stdout)
    raise AssertionError("the slice has no memory controller")
