"""What one agent uses of the host, as read at one instant: pure values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Open file descriptors of an agent's processes."""

    count: int  # of all its processes
    exact: bool  # else an upper bound: the sizes of their tables
    fullest: int = 0  # of the process that has most
    limit: int | None = None  # RLIMIT_NOFILE of that one


@dataclass(frozen=True, slots=True)
class Detail:
    """What is read less often; None where the kernel does not say, counts are of this run."""

    at: float
    held_bytes: int | None = None  # its own memory, swapped out or not
    needed_bytes: int | None = None  # all that counts for its limit and cannot be dropped
    peak_bytes: int | None = None
    oom_kills: int = 0
    throttled: int = 0  # times that it was slowed down at its high mark, or hit its limit (v1)
    cpu_periods: int = 0  # in which a CPU quota was kept
    cpu_throttled: int = 0  # of these, those in which it was used up
    read_bytes: int | None = None
    written_bytes: int | None = None
    reads: int | None = None
    writes: int | None = None
    memory_pressure: float | None = None  # percent of the last 10 s in which something waited
    cpu_pressure: float | None = None
    io_pressure: float | None = None
    descriptors: Descriptors | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What the agent uses; `at` is monotonic time, `detail` may be older."""

    at: float
    memory_bytes: int | None = None
    tasks: int | None = None
    cpu_seconds: float | None = None  # of this run
    detail: Detail | None = None

    @property
    def held_bytes(self) -> int | None:
        """Memory that is the agent's own, as of the last detail."""
        return None if self.detail is None else self.detail.held_bytes

    @property
    def needed_bytes(self) -> int | None:
        """What its limit must not be below, as of the last detail: the kernel's for it, too."""
        if self.detail is None:
            return None
        known = [n for n in (self.detail.held_bytes, self.detail.needed_bytes) if n is not None]
        return max(known, default=None)
