"""The manager over time: what it takes while nothing happens, and after a day's worth of events.

A day is made short: what happens on a busy host in an hour is done as fast as it goes, and 23
times more after that. Memory that grows with what happened, and not with what there is, shows as
a difference between the two.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

from opmas.client.control import ManagerClient
from tests.bench import fleet, systemd
from tests.bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stage import Stage

IDLE_SECONDS: Final = 60.0
IDLE_PERCENT: Final = 1.0
HOUR: Final = 60  # of each deed below: one a minute
HOURS: Final = 24
GROWTH_MB: Final = 2.0


def idle(stage: Stage) -> Iterator[Figure]:
    """Measure the CPU time of a manager whose agents all run, and of systemd beside it."""
    size = len(stage.running(stage.most).names)
    stage.manager_memory()  # it has settled
    stage.say(f"{IDLE_SECONDS:g} s in which nothing happens, beside {size} agents")
    processes = systemd.pids(systemd.MANAGER)
    before, begun = systemd.cpu(processes), time.monotonic()
    time.sleep(IDLE_SECONDS)
    took = time.monotonic() - begun
    used = (systemd.cpu(processes) - before) / took * 100
    yield Figure(
        f"manager-idle-{size}", f"manager idle, {size} agents: of one core", "%", (used,),
        (Target("max", IDLE_PERCENT),),
    )  # fmt: skip


def memory(stage: Stage) -> Iterator[Figure]:
    """Measure the manager's memory after an hour's deeds, and after a day's."""
    names = stage.running(stage.few).names
    sizes = {}
    with ManagerClient(timeout=fleet.CALL_TIMEOUT) as client:
        for hour in range(1, HOURS + 1):
            if hour in {1, HOURS // 2}:
                stage.say(f"churn: hour {hour} of {HOURS}, {HOUR} of each deed")
            for number in range(HOUR):
                _deeds(client, names[(hour * HOUR + number) % len(names)], hour * HOUR + number)
            if hour in {1, HOURS}:
                fleet.Fleet(len(names)).wait("running")
                sizes[hour] = stage.manager_memory()
    yield Figure("churn-hour", "manager after an hour's churn, PSS", "MB", (sizes[1],))
    yield Figure("churn-day", f"manager after {HOURS} hours' churn, PSS", "MB", (sizes[HOURS],))
    yield Figure(
        "churn-growth", "grown meanwhile", "MB", (sizes[HOURS] - sizes[1],),
        (Target("max", GROWTH_MB),),
    )  # fmt: skip


def _deeds(client: ManagerClient, name: str, number: int) -> None:
    """Do to an agent what happens to one now and then: each is an event, most are saved."""
    client.call("agent.put", name=name, package=fleet.PACKAGE, config={}, window=0,
                limits={"tasks_max": 60 + number % 7})  # fmt: skip
    client.call("agent.explain", name=name)
    client.call("event.list", agent=name, limit=50)
    if number % 10 == 0:
        client.call("agent.list")
        _kill(name)


def _kill(name: str) -> None:
    for pid in systemd.agent_pids().get(systemd.agent_unit(name), []):
        os.kill(pid, signal.SIGKILL)
