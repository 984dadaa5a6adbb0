"""What the measures share: the agents that are there, and a way to say how far they are."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from tests.bench import fleet, systemd
from tests.bench.fleet import Fleet
from tests.bench.rest import make_token

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SETTLED_SECONDS: Final = 3.0  # without a change of more than SETTLED_MB
SETTLED_MB: Final = 0.1
SETTLE_TIMEOUT: Final = 60.0


@dataclass(slots=True)
class Stage:
    """The host that is measured; `few`, `many` and `most` are sizes of fleets."""

    few: int
    many: int
    most: int
    say: Callable[[str], None]
    begun_at: float = field(default_factory=time.time)
    _token: str = ""

    @property
    def token(self) -> str:
        """A token of the REST API."""
        self._token = self._token or make_token()
        return self._token

    def running(self, size: int) -> Fleet:
        """Return a fleet of this size, all of it running and no other agent."""
        wanted = Fleet(size)
        counts = fleet.phases()
        if counts.get("running", 0) != size or counts.keys() & (fleet.LIVE - {"running"}):
            self.say(f"starting {size} agents")
            self.stopped(size).start()
        return wanted

    def stopped(self, size: int) -> Fleet:
        """Return a fleet of this size, and no agent that runs."""
        wanted = Fleet(size)
        wanted.create()
        if fleet.phases().keys() & fleet.LIVE:
            Fleet(len(fleet.call("agent.list")["agents"])).stop()
        return wanted

    def manager_memory(self) -> float:
        """Return the PSS of all processes of the manager in MB, once it has settled."""
        return settled(lambda: systemd.pss(systemd.pids(systemd.MANAGER)))


def settled(sample: Callable[[], float]) -> float:
    """Return the sample when it has stood still for a while."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    before = sample()
    while time.monotonic() < deadline:
        time.sleep(SETTLED_SECONDS)
        now = sample()
        if abs(now - before) <= SETTLED_MB:
            return now
        before = now
    return before


def without_manager(work: Callable[[], T]) -> T:
    """Return what the work returns, done while the manager is stopped."""
    systemd.systemctl("stop", systemd.MANAGER)
    try:
        return work()
    finally:
        subprocess.run(["systemctl", "start", systemd.MANAGER], check=False)
        fleet.wait_for_manager()
