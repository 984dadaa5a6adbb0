"""Other programs take all of the CPU: no agent is taken for a hung one.

A minute in a run of all tests. OPMAS_BUSY_MINUTES=30 is what docs/explanation/promises.md says.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from tests.lab import wait_for
from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host

AGENTS: Final = 100
MINUTES: Final = float(os.environ.get("OPMAS_BUSY_MINUTES", "1"))
HOGS: Final = 2 * (os.cpu_count() or 1)
LOOK: Final = 5.0  # seconds
ANSWER: Final = 10.0  # seconds in which a manager that shares its CPU answers


def test_a_host_without_a_free_cpu_costs_no_agent_its_life(shared_host: Host):
    add_test_agents(shared_host)
    opmas = Opmas(shared_host)
    opmas.up()
    names = [f"idle-{number}" for number in range(AGENTS)]
    for name in names:
        opmas.call("agent.put", name=name, package="minimal", wait=0)
    wait_for(lambda: opmas.status()["agents"]["phases"] == {"running": AGENTS}, 300, "all run", 1)
    manager, last = opmas.property("opmas-manager", "MainPID"), opmas.last_event()
    pids = {a["name"]: a["main_pid"] for a in opmas.call("agent.list")["agents"]}

    slowest = busy(opmas)

    exits = opmas.events(last, type="opmas.agent.exited")
    assert exits == [], "no agent was killed"
    assert {a["name"]: a["main_pid"] for a in opmas.call("agent.list")["agents"]} == pids
    assert opmas.property("opmas-manager", "MainPID") == manager
    assert opmas.status()["state"] == "ok"
    assert slowest < ANSWER


def busy(opmas: Opmas) -> float:
    """Keep all CPUs busy for so long; return the longest time that an answer took."""
    hog = "while :; do :; done"
    for number in range(HOGS):
        opmas.host.run("systemd-run", f"--unit=hog-{number}", "sh", "-c", hog)
    slowest, until = 0.0, time.monotonic() + MINUTES * 60
    try:
        while time.monotonic() < until:
            begun = time.monotonic()
            phases = opmas.status()["agents"]["phases"]
            slowest = max(slowest, time.monotonic() - begun)
            assert phases == {"running": AGENTS}, phases
            time.sleep(LOOK)
    finally:
        opmas.systemctl("stop", *(f"hog-{number}" for number in range(HOGS)))
    return slowest
