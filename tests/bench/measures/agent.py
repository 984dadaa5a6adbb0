"""One agent alone, and all of them when they crash or hang."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tests.bench import fleet, systemd
from tests.bench.figure import Figure, Target
from tests.bench.rest import EventStream
from tests.bench.stage import settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stage import Stage

STARTS: Final = 20
CRASHES: Final = 100
HANGS: Final = 20
WATCHDOG: Final = 10.0  # seconds, WatchdogSec= of the template
APART: Final = 0.05  # seconds between two crashes


def alone(stage: Stage) -> Iterator[Figure]:
    """Measure an agent when no other runs."""
    one = stage.stopped(1)
    (name,) = one.names
    times = []
    stage.say(f"one agent: {STARTS} starts")
    for _ in range(STARTS):
        one.start()
        started_at, ready_at = systemd.monotonic(
            systemd.agent_unit(name), "ExecMainStart", "ActiveEnter"
        )
        times.append((ready_at - started_at) * 1000)
        one.stop()
    yield Figure("agent-ready", "agent: exec -> READY", "ms", tuple(times), (Target("p50", 250),))
    one.start()
    pids = systemd.agent_pids()[systemd.agent_unit(name)]
    memory = settled(lambda: systemd.pss(pids))
    yield Figure("agent-memory", "agent, alone, PSS", "MB", (memory,), (Target("max", 14),))
    one.stop()


def memory(stage: Stage) -> Iterator[Figure]:
    """Measure the memory of agents that share their libraries with others."""
    size = len(stage.running(stage.few).names)
    sizes = tuple(systemd.pss(pids) for pids in systemd.agent_pids().values())
    yield Figure(
        f"agent-memory-{size}", f"agent, one of {size}, PSS", "MB", sizes, (Target("max", 14),)
    )


def crash(stage: Stage) -> Iterator[Figure]:
    """Measure what follows when an agent is killed: on the host, and for a client of REST."""
    return _crashes(stage, stage.few, "crash")


def crash_most(stage: Stage) -> Iterator[Figure]:
    """Measure the same beside as many agents as there are in any measure."""
    return _crashes(stage, stage.most, "crash-most")


def _crashes(stage: Stage, size: int, name: str) -> Iterator[Figure]:
    agents = stage.running(size)
    beside = f", {size} agents"
    victims = [agents.names[number % len(agents.names)] for number in range(CRASHES)]
    rounds = []
    stage.say(f"kill -9 of an agent, {CRASHES} times, beside {len(agents.names) - 1} others")
    with EventStream(stage.token) as stream:
        for victim in victims:
            rounds.append(_crash(victim, stream))
            time.sleep(APART)
    heard, told, ready = (tuple(times) for times in zip(*rounds, strict=True))
    targets = (Target("p50", 20), Target("p99", 100))
    what = "agent kill -9 ->"
    yield Figure(f"{name}-event", f"{what} event at SSE client{beside}", "ms", heard, targets)
    yield Figure(f"{name}-running", f"{what} running again{beside}", "ms", ready)
    yield Figure(f"{name}-told", f'{what} "running" at SSE client{beside}', "ms", told)


def hang(stage: Stage) -> Iterator[Figure]:
    """Measure how long a stopped agent stands: killed by its watchdog, and running again."""
    victims = stage.running(stage.few).names[:HANGS]
    stage.say(f"SIGSTOP of {len(victims)} agents, until the watchdog ends that")
    with ThreadPoolExecutor(len(victims)) as pool:
        times = tuple(pool.map(_hang, victims))
    yield Figure(
        "hang", f"agent SIGSTOP -> running again (watchdog {WATCHDOG:g} s)", "s", times,
        (Target("p99", WATCHDOG + 0.5),),
    )  # fmt: skip


def _crash(name: str, stream: EventStream) -> tuple[float, float, float]:
    """Return the ms until the client has its exit, has it running, and until it runs."""
    (pid,) = systemd.agent_pids()[systemd.agent_unit(name)]
    killed_at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    exited = stream.wait("opmas.agent.exited", name, main_pid=pid)
    running = stream.wait("opmas.agent.phase", name, to="running")
    instants = (exited.at, running.at, fleet.ready_at(name))
    first, second, third = ((instant - killed_at) * 1000 for instant in instants)
    return first, second, third


def _hang(name: str) -> float:
    (pid,) = systemd.agent_pids()[systemd.agent_unit(name)]
    before = fleet.ready_at(name)
    stopped_at = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    fleet.wait_until(lambda: fleet.ready_at(name) > before, f"{name} runs again", 60)
    return fleet.ready_at(name) - stopped_at
