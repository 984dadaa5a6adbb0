"""Many agents at once: started by OPMAS, and by plain systemctl.

The same units, with the same drop-ins, in turn, each first in every other round: what loads the
machine loads both. OPMAS's time
is from the first of N requests on the control socket until the manager says that all run (it is
asked every 50 ms).
systemctl's is from `systemctl start` with all N units until it returns; the manager is stopped
meanwhile, so that it costs nothing then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench import systemd
from tests.bench.figure import Figure, Target
from tests.bench.stage import without_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.fleet import Fleet
    from tests.bench.stage import Stage

FEW_ROUNDS: Final = 5
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
    ours: list[Start] = []
    plain: list[Start] = []
    ways = (
        ("OPMAS", ours, lambda: _measured(agents.start)),
        ("systemctl", plain, lambda: without_manager(lambda: _systemctl_start(agents))),
    )
    for number in range(rounds):
        for name, starts, measure in ways if number % 2 == 0 else reversed(ways):
            stage.say(f"start of {size} agents, round {number + 1} of {rounds}: {name}")
            stage.stopped(size)
            starts.append(measure())
    what = f"start of {size} agents"
    yield Figure(f"start-{size}-opmas", f"{what} by OPMAS", "s", _column(ours, 0))
    yield Figure(f"start-{size}-plain", f"{what} by systemctl", "s", _column(plain, 0))
    yield Figure(
        f"start-{size}-ratio", f"{what}: OPMAS / systemctl", "x", _ratios(ours, plain, 0),
        (Target("p50", 1.15),),
    )  # fmt: skip
    yield Figure(
        f"start-{size}-cpu", f"{what}, CPU time: OPMAS / systemctl", "x", _ratios(ours, plain, 1)
    )


class Start(NamedTuple):
    """One start of a fleet, in seconds: how long it took, and the CPU time of all it needed."""

    took: float
    cpu: float


def _column(starts: Sequence[Start], column: int) -> tuple[float, ...]:
    return tuple(start[column] for start in starts)


def _ratios(ours: Sequence[Start], plain: Sequence[Start], column: int) -> tuple[float, ...]:
    return tuple(own[column] / other[column] for own, other in zip(ours, plain, strict=True))


def _systemctl_start(agents: Fleet) -> Start:
    start = _measured(lambda: systemd.systemctl("start", *agents.units))
    systemd.systemctl("stop", *agents.units)
    return start


def _measured(work: Callable[[], object]) -> Start:
    """Return what it takes until it is done; PID 1, the manager and the agents use the CPU."""
    time.sleep(PAUSE)
    servers = (1, *systemd.pids(systemd.MANAGER))
    used, begun = systemd.cpu(servers), time.monotonic()
    work()
    took = time.monotonic() - begun
    started = (pid for pids in systemd.agent_pids().values() for pid in pids)
    return Start(took, systemd.cpu(servers) - used + systemd.cpu(started))
