"""What agents use, read by the manager's meter: one round over all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opmas.host.meter import Meter
from tests.bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.stage import Stage

ROUNDS: Final = 20


def rounds(stage: Stage) -> Iterator[Figure]:
    """Measure a round of what is read each time, and one of all that can be read."""
    names = stage.running(stage.most).names
    meter = Meter()
    stage.say(f"{ROUNDS} rounds over {len(names)} agents")
    plain = _times(lambda: [meter.sample(name) for name in names])
    whole = _times(lambda: [meter.whole(name) for name in names])
    meter.close()
    size = len(names)
    targets = (Target("p50", 50),)
    yield Figure("usage-round", f"what {size} agents use, one round", "ms", plain, targets)
    yield Figure("usage-whole", f"all that {size} agents use, one round", "ms", whole)


def _times(work: Callable[[], object]) -> tuple[float, ...]:
    work()  # opens the files
    times = []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        work()
        times.append((time.monotonic() - begun) * 1000)
    return tuple(times)
