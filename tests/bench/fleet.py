"""Many agents at once, driven over the control socket."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from opmas.client.control import ManagerClient
from opmas.errors import ManagerError
from tests.bench.systemd import agent_unit, monotonic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PACKAGE: Final = "idle"
CONNECTIONS: Final = 16  # what is asked on one connection is answered in order
CALL_TIMEOUT: Final = 120.0
FLEET_TIMEOUT: Final = 900.0
POLL: Final = 0.05  # seconds; each look costs the manager 1 ms
# Phases that an agent of a measure must never be in: there is nothing to wait for then.
BROKEN: Final = ("failed", "quarantined")
LIVE: Final = frozenset({"starting", "running", "reloading", "stopping", "backoff"})


class FleetError(Exception):
    """The agents did not get where they should."""


class Fleet:
    """The first `size` of the agents bench-0000, bench-0001, and so on."""

    def __init__(self, size: int) -> None:
        self.names = tuple(f"bench-{number:04}" for number in range(size))

    @property
    def units(self) -> tuple[str, ...]:
        """Their units."""
        return tuple(agent_unit(name) for name in self.names)

    def create(self) -> None:
        """Create those that do not exist, stopped."""
        known = {agent["name"] for agent in call("agent.list")["agents"]}
        missing = [name for name in self.names if name not in known]
        _each("agent.put", missing, package=PACKAGE, desired="stopped")

    def start(self) -> None:
        """Start all; return when the manager says that all run."""
        _each("agent.start", self.names)
        self.wait("running")

    def stop(self) -> None:
        """Stop all; return when the manager says that all are stopped."""
        _each("agent.stop", self.names)
        wait_until(lambda: not phases().keys() & LIVE, "all are stopped")

    def wait(self, phase: str) -> None:
        """Return when all are in the phase; no other agent may be in it."""

        def all_there() -> bool:
            counts = client.call("host.status")["agents"]["phases"]
            broken = {name: counts[name] for name in BROKEN if name in counts}
            if broken:
                raise FleetError(f"agents broke: {broken}: see journalctl -u 'opmas-agent@*'")
            return bool(counts.get(phase, 0) == len(self.names))

        with ManagerClient(timeout=CALL_TIMEOUT) as client:
            wait_until(all_there, f"all are {phase}")

    def pids(self) -> dict[str, int | None]:
        """Return the main process of each, as the manager knows it."""
        wanted = set(self.names)
        agents = call("agent.list")["agents"]
        return {a["name"]: a["main_pid"] for a in agents if a["name"] in wanted}


def call(method: str, **params: Any) -> dict[str, Any]:
    """Call one method, on a connection of its own."""
    with ManagerClient(timeout=CALL_TIMEOUT) as client:
        return client.call(method, **params)


def phases() -> dict[str, int]:
    """Return how many agents are in which phase."""
    found: dict[str, int] = call("host.status")["agents"]["phases"]
    return found


def wait_until(condition: Callable[[], bool], what: str, timeout: float = FLEET_TIMEOUT) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise FleetError(f"not within {timeout:g} s: {what}; now {phases()}")
        time.sleep(POLL)


def wait_for_manager() -> None:
    """Return when the manager answers."""

    def answers() -> bool:
        try:
            phases()
        except ManagerError:
            return False
        return True

    wait_until(answers, "the manager answers", 60)


def ready_at(name: str) -> float:
    """Return when the agent last became ready, on the clock of `time.monotonic`."""
    return monotonic(agent_unit(name), "ActiveEnter")[0]


def _each(method: str, names: Sequence[str], **params: Any) -> None:
    """Call the method for each agent, on several connections."""

    def ask(part: Sequence[str]) -> None:
        with ManagerClient(timeout=CALL_TIMEOUT) as client:
            for name in part:
                client.call(method, name=name, **params)

    parts = [names[first::CONNECTIONS] for first in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(ask, parts))
