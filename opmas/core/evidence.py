"""What is gathered about an agent while a change of it is watched.

A `Sighting` is one look at the agent, a `Baseline` how it did before the change, a `Watch` what
came together since: running figures, bounded, so that it can be saved with the change. Instants
are the machine's monotonic time: after a boot, `begin` anew with the same baseline.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from opmas.core.agent import Desired, Health, Phase, Reason


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of one agent at one instant, `at`."""

    at: float
    phase: Phase
    reason: Reason
    health: Health = Health.UNKNOWN
    since: float = 0.0  # when it came into its phase
    codes: tuple[str, ...] = ()  # of the checks that are not healthy
    desired: Desired = Desired.RUNNING
    held: bool = False
    restarts: int = 0  # by systemd, of this run
    failures: int = 0  # times in a row that systemd gave it up
    invocation: str = ""
    exit_at: float = 0.0  # the last exit by itself, seconds since 1970; 0: none
    exit_code: str = ""  # exited, killed, dumped
    exit_status: int | None = None
    result: str = ""  # systemd's word for that exit
    cpu_seconds: float | None = None
    memory_bytes: int | None = None  # what it holds: cgroups.Memory.held_bytes
    memory_max: int | None = None
    oom_kills: int = 0
    throttled: int = 0  # times that it was slowed down at MemoryHigh=
    errors: int = 0  # events of severity error that it sent, ever
    progress: int | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """How an agent did before the change."""

    existed: bool = True
    wanted: bool = True  # it should run, and nobody held it
    up: bool = True
    health: Health = Health.HEALTHY
    failures: int = 0
    up_seconds: float = 0.0
    cpu_rate: float | None = None  # fraction of one CPU
    memory_bytes: int | None = None
    errors_per_minute: float = 0.0
    restarts_per_hour: float = 0.0
    progress_per_minute: float | None = None

    @property
    def failing(self) -> bool:
        """Whether it should have served before the change, and did not."""
        bad = not self.up or self.health is Health.UNHEALTHY or self.failures > 0
        return self.existed and self.wanted and bad


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What around the agent may be the reason that it does badly."""

    disk_free: float = 1.0  # fraction, of the file system of its state
    disk_free_bytes: int = 2**63
    cpu_pressure: float | None = None  # PSI some avg10, percent
    memory_pressure: float | None = None
    io_pressure: float | None = None
    dependencies_down: tuple[str, ...] = ()
    peers_worse: tuple[str, ...] = ()  # on the old version, worse since the change began
    database_ok: bool = True


@dataclass(frozen=True, slots=True)
class Watch:
    """What was gathered since the change; `take` adds to it."""

    baseline: Baseline
    began: Sighting  # the last one before the agent was changed
    last: Sighting
    first_up: Sighting | None = None


def baseline(before: Sighting | None, earlier: Sighting | None = None) -> Baseline:
    """Return how the agent did before the change; `earlier` is a sighting some time before.

    Without `before` the agent is new.
    """
    if before is None:
        return Baseline(existed=False, wanted=False, up=False, health=Health.UNKNOWN)
    return Baseline()


def begin(base: Baseline, sighting: Sighting) -> Watch:
    """Return a watch that begins with `sighting`: the last before the new version is started.

    What is in it already, an exit of the version before or a restart, is not held against the
    change.
    """
    return Watch(base, sighting, sighting)


def take(watch: Watch, sighting: Sighting, around: Surroundings | None = None) -> Watch:
    """Return the watch with one more sighting, and what was around the agent then."""
    return replace(watch, last=sighting)


def dump_watch(watch: Watch) -> dict[str, Any]:
    """Return the watch as a JSON object."""
    return asdict(watch)


def load_watch(saved: dict[str, Any]) -> Watch:
    """Return the watch that was saved."""
    raise NotImplementedError
