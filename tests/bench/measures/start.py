"""Many agents at once: started by OPMAS, and by plain systemctl.

The same units, with the same drop-ins, in turn, each first in every other round: what loads the
machine loads both. OPMAS's time
is from the first of N requests on the control socket until the manager says that all run.
systemctl's is from `systemctl start` with all N units until it returns; the manager is stopped
meanwhile, so that it costs nothing then.
"""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Final

from tests.bench import systemd
from tests.bench.figure import Figure, Target
from tests.bench.stage import without_manager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.fleet import Fleet
    from tests.bench.stage import Stage

FEW_ROUNDS: Final = 3
MANY_ROUNDS: Final = 2
PAUSE: Final = 1.0  # seconds, in which what went before comes to rest


def few(stage: Stage) -> Iterator[Figure]:
    """Measure the start of the smaller fleet."""
    return _compare(stage, stage.few, FEW_ROUNDS)


def many(stage: Stage) -> Iterator[Figure]:
    """Measure the start of the larger fleet."""
    return _compare(stage, stage.many, MANY_ROUNDS)


def _compare(stage: Stage, size: int, rounds: int) -> Iterator[Figure]:
    agents = stage.stopped(size)
    ours: list[float] = []
    plain: list[float] = []
    ways = (
        ("OPMAS", ours, agents.start),
        ("systemctl", plain, lambda: without_manager(lambda: _systemctl_start(agents))),
    )
    for number in range(rounds):
        for name, times, measure in ways if number % 2 == 0 else reversed(ways):
            stage.say(f"start of {size} agents, round {number + 1} of {rounds}: {name}")
            stage.stopped(size)
            time.sleep(PAUSE)
            times.append(measure())
    ratios = tuple(own / other for own, other in zip(ours, plain, strict=True))
    yield Figure(f"start-{size}-opmas", f"start of {size} agents by OPMAS", "s", tuple(ours))
    yield Figure(f"start-{size}-plain", f"start of {size} units by systemctl", "s", tuple(plain))
    yield Figure(
        f"start-{size}-ratio", f"start of {size}: OPMAS / systemctl", "x", ratios,
        (Target("p50", 1.15),),
    )  # fmt: skip


def _systemctl_start(agents: Fleet) -> float:
    time.sleep(PAUSE)
    begun = time.monotonic()
    systemd.systemctl("start", *agents.units)
    took = time.monotonic() - begun
    subprocess.run(["systemctl", "stop", *agents.units], check=True)
    return took
