"""Every process of OPMAS is killed at random, hundreds of times, while agents are changed.

The kills that aim at each step of a change are in tests/system/changes; these aim at nothing.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest

from opmas.errors import ManagerError
from tests.lab import wait_for
from tests.system.changes.packages import make_version
from tests.system.changes.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab import Host

KILLS: Final = 340  # with those that aim: more than 500
BETWEEN: Final = (0.2, 1.5)  # seconds; a manager is up again after one
MOST: Final = 420.0  # seconds for all of them
VERSIONS: Final = ("1.0.0", "1.1.0")
MOVING: Final = ("alpha", "beta")
STEADY: Final = ("one", "two", "three")
UNITS: Final = ("system.slice/opmas-manager.service", "system.slice/opmas-api.service")
WORKERS: Final = "opmas.slice/opmas-package@{}.service"
SEED: Final = 20_261_122


@pytest.fixture
def site(installed_host: Host, tmp_path: Path) -> Site:
    site = Site(installed_host)
    site.trust(tmp_path / "keys")
    site.restart_at_once()
    api = site.root / "etc/systemd/system/opmas-api.service.d/soon.conf"
    api.parent.mkdir()
    api.write_text("[Service]\nRestartSec=100ms\n")
    site.systemctl("daemon-reload")
    for version in VERSIONS:
        site.install(make_version(tmp_path, "ledger", version))
    for name in (*MOVING, *STEADY):
        site.call("agent.put", name=name, package="ledger", version=VERSIONS[0], wait=30)
    return site


def test_no_kill_loses_repeats_or_strands_anything(site: Site):
    for name in (*MOVING, *STEADY):
        site.serving(name, VERSIONS[0])
    untouched, last = site.agent_processes(STEADY), site.log()[-1]["sequence"]

    over = threading.Event()
    with ThreadPoolExecutor(len(MOVING)) as pool:
        moving = [pool.submit(move, site, name, over) for name in MOVING]
        try:
            kills = kill_at_random(site, over)
        finally:
            over.set()
        made = {name: lane.result() for name, lane in zip(MOVING, moving, strict=True)}

    print(f"{kills} kills, {made} changes")
    assert kills >= KILLS
    assert site.agent_processes(STEADY) == untouched, "an agent that nobody touched is as it was"
    assert sorted(site.agents()) == sorted((*MOVING, *STEADY)), "no agent is lost"
    for name in MOVING:
        version = site.agents()[name]["version"]
        site.serving(name, version)
        assert len(site.agent_processes([name])[name]) == 1, "none runs twice"
    site.is_tidy()
    numbers = [event["sequence"] for event in site.log(last)]
    assert numbers == list(range(last + 1, last + 1 + len(numbers)))


def move(site: Site, name: str, over: threading.Event) -> int:
    """Change the agent, one change after the other, until it is over; return how many ended."""
    deeds: tuple[Callable[[], int], ...] = (
        lambda: site.change("agent.update", name=name, version=VERSIONS[1], window=1),
        lambda: limit(site, name, 40),
        lambda: site.change("agent.update", name=name, version=VERSIONS[0], window=1),
        lambda: limit(site, name, 50),
    )
    ended = 0
    while not over.is_set():
        site.ended(deeds[ended % len(deeds)]())
        ended += 1
    return ended


def limit(site: Site, name: str, tasks: int) -> int:
    version = site.agents()[name]["version"]
    return site.change(
        "agent.put", name=name, package="ledger", version=version, window=1,
        limits={"tasks_max": tasks},
    )  # fmt: skip


def kill_at_random(site: Site, over: threading.Event) -> int:
    chance = random.Random(SEED)
    kills, deadline = 0, time.monotonic() + MOST
    while kills < KILLS and not over.is_set() and time.monotonic() < deadline:
        over.wait(chance.uniform(*BETWEEN))
        kills += sum(map(kill, victims(site, chance)))
        wait_for(lambda: is_back(site), 30, "the manager is back")
    return kills


def is_back(site: Site) -> bool:
    try:
        return bool(site.call("host.status")["version"])
    except ManagerError:
        return False


def victims(site: Site, chance: random.Random) -> list[int]:
    """Return processes to be killed: of the manager mostly, the API, the package workers."""
    units = [unit for unit in UNITS if chance.random() < 0.8]
    units += [WORKERS.format(job) for job in site.names_in("jobs")]
    return [pid for unit in units for pid in site.processes(unit)]


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
