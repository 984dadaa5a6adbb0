"""A program that is up at once, killed: what systemd takes to restart it, and OPMAS adds."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

from tests.bench import fleet, systemd
from tests.bench.figure import Figure, Target
from tests.bench.stage import without_manager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stage import Stage

NAME: Final = "bench-still"
CRASHES: Final = 30
FORGIVEN: Final = 4  # crashes; at the fifth in a minute systemd would give it up


def crash(stage: Stage) -> Iterator[Figure]:
    """Measure a crash with the manager and without it, in the same run."""
    stage.running(stage.few)
    fleet.call("agent.put", name=NAME, package="still", wait=60)
    stage.say(f"kill -9 of a program, {CRASHES} times with the manager, {CRASHES} without")
    ours = _crashes()
    plain = without_manager(_crashes)
    fleet.call("agent.remove", name=NAME, purge=True, wait=60)
    what = "program kill -9 -> running again"
    yield Figure("still-ours", what, "ms", ours, (Target("p50", 130),))
    yield Figure("still-plain", f"{what}, no manager", "ms", plain)
    ratio = tuple(a / b for a, b in zip(sorted(ours), sorted(plain), strict=True))
    yield Figure(
        "still-ratio", f"{what}: with the manager / without", "x", ratio, (Target("p50", 1.1),)
    )


def _crashes() -> tuple[float, ...]:
    times = []
    for number in range(CRASHES):
        if number % FORGIVEN == 0:  # its count of starts is forgotten
            systemd.systemctl("reset-failed", systemd.agent_unit(NAME))
        times.append(_crash())
    return tuple(times)


def _crash() -> float:
    unit = systemd.agent_unit(NAME)
    (pid,) = systemd.agent_pids()[unit]
    killed_at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    fleet.wait_until(lambda: _running_since(unit) > killed_at, f"{NAME} runs again", 30)
    return (_running_since(unit) - killed_at) * 1000


def _running_since(unit: str) -> float:
    return systemd.monotonic(unit, "ActiveEnter")[0]
