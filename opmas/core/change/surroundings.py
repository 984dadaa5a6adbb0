"""What around an agent may be the reason that it does badly, and from when on it is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opmas.core.change.cause import Cause

MIB: Final = 2**20
# The last 16 MiB go in an instant; below 256 MiB it depends on the size of the disk.
DISK_FULL_BYTES: Final = 16 * MIB
DISK_LOW_BYTES: Final = 256 * MIB
DISK_LOW: Final = 0.01
# PSI `some avg10`, percent: a host that builds software is at 50, one with four times as many busy
# processes as CPUs at 95. Memory stalls hurt much earlier.
CPU_PRESSURE: Final = 80.0
IO_PRESSURE: Final = 60.0
MEMORY_PRESSURE: Final = 20.0

# The codes of checks and errors that say: what is missing is outside of this host or this agent.
# Authors use them, or any code that begins with `outside-`.
OUTSIDE_CODES: Final = frozenset(
    {
        "dependency-away",  # DependencyError of the SDK
        "clock-jumped",
        "connection-refused",
        "connection-timeout",
        "disk-full",
        "dns-failed",
        "http-429",
        "http-500",
        "http-502",
        "http-503",
        "http-504",
        "network-unreachable",
        "rate-limited",
        "server-unavailable",
    }
)
OUTSIDE_PREFIX: Final = "outside-"

# sysexits(3): EX_NOHOST, EX_UNAVAILABLE, EX_TEMPFAIL.
OUTSIDE_STATUSES: Final = {68: "EX_NOHOST", 69: "EX_UNAVAILABLE", 75: "EX_TEMPFAIL"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around the agent at one instant; the pressures are PSI `some avg10`, percent."""

    disk_free: float = 1.0  # fraction, of the file system of its state
    disk_free_bytes: int = 2**53
    cpu_pressure: float | None = None
    memory_pressure: float | None = None
    io_pressure: float | None = None
    dependencies_down: tuple[str, ...] = ()
    peers_worse: tuple[str, ...] = ()  # on the old version, worse since the change began
    database_ok: bool = True


def is_outside(codes: tuple[str, ...]) -> bool:
    """Return whether everything that is wrong is outside, by the agent's own word."""
    return bool(codes) and all(
        code in OUTSIDE_CODES or code.startswith(OUTSIDE_PREFIX) for code in codes
    )


def troubles(around: Surroundings) -> tuple[tuple[Cause, str], ...]:
    """Return the troubles around an agent, each with a sentence that has its figure."""
    found = (
        (Cause.SAME_ELSEWHERE, _peers(around)),
        (Cause.DISK_FULL, _disk(around)),
        (Cause.DEPENDENCY_DOWN, _dependencies(around)),
        (Cause.HOST_OVERLOADED, _load(around)),
        (Cause.HOST_MEMORY, _memory(around)),
    )
    return tuple((cause, sentence) for cause, sentence in found if sentence)


def _peers(around: Surroundings) -> str:
    names = ", ".join(around.peers_worse)
    return f"Still on the old version, and worse since the change: {names}." if names else ""


def _dependencies(around: Surroundings) -> str:
    names = ", ".join(around.dependencies_down)
    return f"It depends on what is not up: {names}." if names else ""


def _disk(around: Surroundings) -> str:
    free = around.disk_free_bytes
    low = free < DISK_LOW_BYTES and around.disk_free < DISK_LOW
    if not low and free >= DISK_FULL_BYTES:
        return ""
    return f"The file system of its data has {free / MIB:.0f} MiB free ({around.disk_free:.1%})."


def _load(around: Surroundings) -> str:
    for name, pressure, limit in (
        ("a CPU", around.cpu_pressure, CPU_PRESSURE),
        ("the disk", around.io_pressure, IO_PRESSURE),
    ):
        if pressure is not None and pressure >= limit:
            return f"Processes of this host waited for {name} {pressure:.0f} % of the time."
    return ""


def _memory(around: Surroundings) -> str:
    pressure = around.memory_pressure
    if pressure is None or pressure < MEMORY_PRESSURE:
        return ""
    return f"Processes of this host waited for memory {pressure:.0f} % of the time."
