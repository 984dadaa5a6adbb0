"""Limits, as a kernel with pure cgroup v2 enforces them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.lab import wait_for
from tests.vm.agentset import agents_are_right, is_right
from tests.vm.machine import Machine
from tests.vm.site import LOOK, SETTLED, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vm.machine import Snapshot

SLICE: Final = "opmas-agents.slice"
MIB: Final = 1024 * 1024
HOGS: Final = ("hog-1", "hog-2", "hog-3")  # together they want more than half of the memory
SPIN: Final = 5  # seconds
CPU_USED: Final = """
read -r _ first < "$1/cpu.stat"; read -r from _ < /proc/uptime
sleep "$2"
read -r _ second < "$1/cpu.stat"; read -r to _ < /proc/uptime
echo "$first $second $from $to"
"""


@pytest.fixture(scope="module")
def crowded(installed: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A machine for the tests of this file, each of which adds agents of its own."""
    with Machine(tmp_path_factory.mktemp("crowded") / "machine", installed) as machine:
        yield Site(machine)


def create(site: Site, name: str, package: str, *options: str) -> None:
    site.opmas("agent", "create", name, "--package", package, "--no-wait", *options)


def remove(site: Site, *names: str) -> None:
    site.opmas("agent", "remove", "--yes", *names)


def test_a_kill_for_memory_is_told_apart_from_a_crash(crowded: Site):
    before = crowded.last_event()

    create(crowded, "hoarder", "hoarder")

    ended = crowded.wait_event(before, "opmas.agent.exited", "agent/hoarder")
    assert ended["data"]["result"] == "oom-kill"
    assert ended["data"]["oom"] is True
    assert ended["data"]["signal"] == "SIGKILL"
    given_up = crowded.wait_agent("hoarder", lambda view: view["phase"] == "backoff", "waits")
    assert given_up["reason"] == "out-of-memory"
    remove(crowded, "hoarder")
    agents_are_right(crowded)


def test_an_agent_gets_no_more_tasks_than_it_may(crowded: Site):
    create(crowded, "forker", "forker")

    wait_for(lambda: refused_forks(crowded) > 0, SETTLED, "a process is refused", LOOK)

    assert crowded.cgroup("opmas-agent@forker", "pids.max") == 16
    assert crowded.cgroup("opmas-agent@forker", "pids.current") <= 16
    remove(crowded, "forker")
    agents_are_right(crowded)


def refused_forks(site: Site) -> int:
    return site.figures("opmas-agent@forker", "pids.events").get("max", 0)


def test_an_agent_gets_no_more_cpu_time_than_it_may(crowded: Site):
    create(crowded, "spinner", "spinner")
    crowded.wait_agent("spinner", lambda view: view["phase"] == "running", "runs")

    folder = crowded.folder("opmas-agent@spinner")
    said = crowded.machine.run("sh", "-c", CPU_USED, "sh", folder, str(SPIN)).stdout.split()

    first, second, begun, ended = (float(word) for word in said)
    used = (second - first) / 1e6 / (ended - begun)
    assert 0.05 < used < 0.25
    assert crowded.figures("opmas-agent@spinner", "cpu.stat")["nr_throttled"] > 0
    remove(crowded, "spinner")


def test_all_agents_together_get_half_of_the_memory_and_the_host_keeps_the_rest(crowded: Site):
    manager = crowded.property("opmas-manager", "InvocationID")
    total = crowded.machine.run("awk", "/MemTotal/ {print $2 * 1024}", "/proc/meminfo").stdout
    before = crowded.last_event()

    for name in HOGS:
        create(
            crowded, name, "hoarder", "--limit", "memory_max=256M", "--limit", "memory_high=256M"
        )
    wait_for(
        lambda: crowded.figures(SLICE, "memory.events")["max"] > 0, SETTLED, "they want more", LOOK
    )
    crowded.wait_event(before, "opmas.agent.exited", *(f"agent/{name}" for name in HOGS))

    assert crowded.cgroup(SLICE, "memory.max") == pytest.approx(int(total) / 2, abs=MIB)
    assert crowded.cgroup(SLICE, "memory.peak") <= crowded.cgroup(SLICE, "memory.max")
    assert crowded.property("opmas-manager", "InvocationID") == manager
    remove(crowded, *HOGS)
    is_right(crowded)
