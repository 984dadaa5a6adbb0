"""daemon-reload: what every agent of the host would pay for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.bench import fleet, systemd
from tests.bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stage import Stage


def reloads(stage: Stage) -> Iterator[Figure]:
    """Count the reloads since the measures began, with a new agent and a change besides."""
    fleet.call("agent.put", name="bench-late", package=fleet.PACKAGE, wait=60)
    fleet.call("agent.put", name="bench-late", package=fleet.PACKAGE, limits={"tasks_max": 32})
    fleet.call("agent.restart", name="bench-late", wait=60)
    fleet.call("agent.remove", name="bench-late", purge=True, wait=60)
    count = systemd.reloads_since(stage.begun_at)
    _check_counting()
    yield Figure(
        "reloads", "daemon-reloads during all of it", "reloads", (float(count),),
        (Target("max", 0),),
    )  # fmt: skip


def _check_counting() -> None:
    """Make sure that a reload would have been counted."""
    begun_at = time.time()
    systemd.systemctl("daemon-reload")
    fleet.wait_until(lambda: systemd.reloads_since(begun_at) == 1, "a reload is counted", 10)
