"""What the manager needs from outside, as Protocols: the adapters implement them.

`Units` is systemd, seen through what OPMAS does with it. Rules of that port:

1. The answer of a call that makes a job reaches its caller before the `JobRemoved` of that job.
2. The events of one unit come in the order in which systemd passed through them.
3. Events may come twice and may be lost while the connection is; the `Resynced` that follows
   says what holds now. Whoever listens compares, and never counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from opmas.core.unit.state import UnitState


@dataclass(frozen=True, slots=True)
class UnitChanged:
    """The states that one unit passed through, in order; the last one holds now."""

    states: tuple[UnitState, ...]

    @property
    def unit(self) -> str:
        """The unit's name."""
        return self.states[-1].unit


@dataclass(frozen=True, slots=True)
class JobRemoved:
    """A job of an agent's unit ended, whoever asked for it.

    `result`: done, canceled, timeout, failed, dependency, skipped (org.freedesktop.systemd1(5)).
    """

    unit: str
    job_id: int
    result: str


@dataclass(frozen=True, slots=True)
class UnitGone:
    """systemd has unloaded the unit: it is inactive, and nothing more is known of it."""

    unit: str


@dataclass(frozen=True, slots=True)
class Resynced:
    """All units of agents that are loaded, read afresh; others are not.

    `connection` is private or bus.
    """

    states: tuple[UnitState, ...]
    systemd_version: str
    connection: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """systemd cannot be reached; `Resynced` follows when it can be again."""

    reason: str


UnitEvent = UnitChanged | JobRemoved | UnitGone | Resynced | Disconnected


class Units(Protocol):
    """The units of agents in systemd.

    Every call may raise `SystemdError`; its `reason` tells a caller what to do about it.
    """

    async def start(self, unit: str) -> int:
        """Queue a start and return its job id."""
        ...

    async def stop(self, unit: str) -> int:
        """Queue a stop and return its job id."""
        ...

    async def restart(self, unit: str) -> int:
        """Queue a restart and return its job id."""
        ...

    async def reset_failed(self, unit: str) -> None:
        """Forget the unit's failure and its count of starts; fine when it is not loaded."""
        ...

    async def kill(self, unit: str, signal: int) -> None:
        """Send a signal to every process of the unit."""
        ...

    async def set_limits(self, unit: str, limits: Mapping[str, int]) -> None:
        """Set limits on the loaded unit until the next boot, under systemd's property names.

        Known: MemoryMax, MemoryHigh, TasksMax, CPUQuotaPerSecUSec, CPUWeight, IOWeight.
        """
        ...

    async def clean(self, unit: str, what: Sequence[str]) -> None:
        """Delete the inactive unit's directories: state, cache, logs, runtime, configuration.

        Returns when they are gone.
        """
        ...

    async def needs_reload(self, unit: str) -> bool:
        """Return whether the unit's files are newer than what systemd has loaded."""
        ...

    async def reload_daemon(self) -> None:
        """Have systemd read all unit files anew: seconds of a blocked PID 1 on a big host."""
        ...

    async def network_bytes(self, unit: str) -> tuple[int, int] | None:
        """Return what the unit received and sent; None where `IPAccounting=` is not on."""
        ...

    async def resync(self) -> None:
        """Have all units read afresh; returns when the `Resynced` is among the events."""
        ...

    def answer_seconds(self) -> float | None:
        """Return how long the last answer took, or the next one is waited for by now."""
        ...

    def events(self) -> AsyncIterator[UnitEvent]:
        """Yield what happens to the units, without end; for one listener."""
        ...


class Notifier(Protocol):
    """The supervisor of the manager itself, sd_notify(3)."""

    def ready(self) -> None:
        """Say that the service is up."""
        ...

    def stopping(self) -> None:
        """Say that the service is about to end."""
        ...

    def watchdog(self) -> None:
        """Feed the watchdog, when there is one and it is due."""
        ...

    def extend_timeout(self, seconds: float) -> None:
        """Ask for so much time from now for what is under way."""
        ...
