"""The manager itself: what it takes, and how it comes back."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from opmas.errors import ManagerError
from tests.bench import fleet, systemd
from tests.bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.fleet import Fleet
    from tests.bench.stage import Stage

ROUNDS: Final = 3
POLL: Final = 0.005
PAUSE: Final = 3.0  # seconds between two rounds: agents reconnect within two
WITHIN: Final = 60.0


def empty(stage: Stage) -> Iterator[Figure]:
    """Measure the memory of a manager that has no agents."""
    yield Figure("manager-memory-0", "manager, no agents, PSS", "MB", (stage.manager_memory(),))


def memory(stage: Stage) -> Iterator[Figure]:
    """Measure the memory of a manager whose agents all run."""
    size = len(stage.running(stage.few).names)
    yield Figure(
        f"manager-memory-{size}",
        f"manager, {size} agents, PSS",
        "MB",
        (stage.manager_memory(),),
        (Target("max", 40),),
    )


def restart(stage: Stage) -> Iterator[Figure]:
    """Measure the manager's return with many agents: ordered to, and after kill -9."""
    agents = stage.running(stage.most)
    size = len(agents.names)
    large = stage.manager_memory()
    yield Figure(f"manager-memory-{size}", f"manager, {size} agents, PSS", "MB", (large,))
    before = _lives()
    ways: dict[str, Callable[[], object]] = {
        "restart": lambda: systemd.systemctl("restart", "--no-block", systemd.MANAGER),
        "kill -9": lambda: os.kill(_main_pid(), signal.SIGKILL),
    }
    for way, blow in ways.items():
        stage.say(f"manager: {way} beside {size} agents, {ROUNDS} times")
        rounds = [_return(agents, blow) for _ in range(ROUNDS)]
        name = "restart" if way == "restart" else "kill"
        what = f"manager {way}, {size} agents"
        ready = tuple(ready for ready, _ in rounds)
        known = tuple(known for _, known in rounds)
        yield Figure(f"manager-{name}-ready", f"{what}: its start -> READY", "s", ready)
        yield Figure(
            f"manager-{name}-known", f"{what}: its start -> all known", "s", known,
            (Target("max", 2),),
        )  # fmt: skip
    lost = sum(_lives().get(unit) != pids for unit, pids in before.items())
    yield Figure(
        "manager-restart-agents", f"agents restarted by that, of {size}", "agents",
        (float(lost),), (Target("max", 0),),
    )  # fmt: skip


def _return(agents: Fleet, blow: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds from the start of the new manager to READY, and until it knows all."""
    old, pids = _main_pid(), agents.pids()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_known_again, old, len(agents.names))
        blow()
        known_at = waiting.result()
    if agents.pids() != pids:
        raise fleet.FleetError("the manager took the agents for others after its restart")
    started_at, ready_at = systemd.monotonic(systemd.MANAGER, "ExecMainStart", "ActiveEnter")
    time.sleep(PAUSE)
    return ready_at - started_at, known_at - started_at


def _known_again(old: int, size: int) -> float:
    """Return when a manager other than the old one first said that all agents run."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        processes = systemd.pids(systemd.MANAGER)
        if processes and old not in processes and _says_running() == size:
            return time.monotonic()
        time.sleep(POLL)
    raise fleet.FleetError(f"the manager did not know its agents again within {WITHIN:g} s")


def _says_running() -> int:
    try:
        return fleet.phases().get("running", 0)
    except ManagerError:
        return 0


def _main_pid() -> int:
    return int(systemd.show(systemd.MANAGER, "MainPID")[0])


def _lives() -> dict[str, list[int]]:
    return {unit: sorted(pids) for unit, pids in systemd.agent_pids().items()}
