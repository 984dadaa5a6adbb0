"""The REST API beside many agents."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opmas.client.control import ManagerClient
from tests.bench.figure import Figure, Target
from tests.bench.rest import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.stage import Stage

REQUESTS: Final = 100
WARM_UP: Final = 5


def listing(stage: Stage) -> Iterator[Figure]:
    """Measure the list of all agents: over REST, and on the socket behind it."""
    size = len(stage.running(stage.many).names)
    stage.say(f"the list of {size} agents, {REQUESTS} times over REST and on the socket")
    client = Client(stage.token)
    over_rest = _times(lambda: client.get("/v1/agents"))
    client.close()
    with ManagerClient() as manager:
        on_socket = _times(lambda: manager.call("agent.list"))
    yield Figure(
        "list-rest", f"GET /v1/agents, {size} agents", "ms", over_rest, (Target("p50", 15),)
    )
    yield Figure("list-socket", f"agent.list on the socket, {size} agents", "ms", on_socket)


def _times(work: Callable[[], object]) -> tuple[float, ...]:
    times = []
    for _ in range(WARM_UP + REQUESTS):
        begun = time.monotonic()
        work()
        times.append((time.monotonic() - begun) * 1000)
    return tuple(times[WARM_UP:])
