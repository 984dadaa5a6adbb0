"""One look at an agent, and how it did before a change of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opmas.core.agent.terms import Desired, Health, Phase, Reason

UP: Final = frozenset({Phase.RUNNING, Phase.RELOADING})
MIN_RUN: Final = 5.0  # seconds that a rate needs
SHORTEST: Final = 60.0  # seconds that counts are spread over: one error is not 60 a minute


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
    # Counts; None where nobody looked. The first two are those of its present run.
    oom_kills: int | None = None
    throttled: int | None = None  # times that it was slowed down at MemoryHigh=
    errors: int | None = None  # events of severity error that it sent, ever
    progress: int | None = None
    exits_lately: int | None = None  # by itself, in the last hour; None: nobody knows
    fresh: bool = False  # on its way up, and it has not failed at that

    @property
    def is_up(self) -> bool:
        """Whether it serves."""
        return self.phase in UP


@dataclass(frozen=True, slots=True)
class Baseline:
    """How an agent did before the change."""

    existed: bool = True
    wanted: bool = True  # it should run, and nobody held it
    up: bool = True
    health: Health = Health.HEALTHY
    failures: int = 0
    starting: bool = False  # on its way up, and it had not failed at that
    up_seconds: float = 0.0
    cpu_rate: float | None = None  # CPUs
    memory_bytes: int | None = None
    errors_per_minute: float = 0.0
    restarts_per_hour: float = 0.0
    progress_per_minute: float | None = None

    @property
    def failing(self) -> bool:
        """Whether it should have served before the change, and did not."""
        down = not self.up and not self.starting
        bad = down or self.health is Health.UNHEALTHY or self.failures > 0
        return self.existed and self.wanted and bad


def baseline(before: Sighting | None, earlier: Sighting | None = None) -> Baseline:
    """Return how the agent did before the change; `earlier` is a sighting some time before.

    Without `before` the agent is new.
    """
    if before is None:
        return Baseline(existed=False, wanted=False, up=False, health=Health.UNKNOWN)
    run = max(before.at - before.since, 0.0) if before.is_up else 0.0
    errors, seconds = before.errors or 0, run
    if earlier is not None and earlier.at < before.at:
        seconds = max(seconds, before.at - earlier.at)
        errors = max(errors - (earlier.errors or 0), 0) if seconds > run else errors
    seconds = max(seconds, SHORTEST)
    return Baseline(
        wanted=before.desired is Desired.RUNNING and not before.held,
        up=before.is_up,
        health=before.health,
        failures=before.failures,
        starting=before.fresh,
        up_seconds=run,
        cpu_rate=_cpu_rate(before, earlier, run),
        memory_bytes=before.memory_bytes if before.is_up else None,
        errors_per_minute=errors * 60 / seconds,
        restarts_per_hour=float(before.exits_lately or 0),
        progress_per_minute=_progress_rate(before, earlier),
    )


def _cpu_rate(before: Sighting, earlier: Sighting | None, run: float) -> float | None:
    """Return the CPUs that it uses: lately, or over its run, whichever is more."""
    if not before.is_up or before.cpu_seconds is None or run < MIN_RUN:
        return None
    whole = before.cpu_seconds / run
    if not _same_run(earlier, before) or earlier is None or earlier.cpu_seconds is None:
        return whole
    return max(whole, (before.cpu_seconds - earlier.cpu_seconds) / (before.at - earlier.at))


def _progress_rate(before: Sighting, earlier: Sighting | None) -> float | None:
    if not _same_run(earlier, before) or earlier is None:
        return None
    if before.progress is None or earlier.progress is None:
        return None
    return max(before.progress - earlier.progress, 0) * 60 / (before.at - earlier.at)


def _same_run(earlier: Sighting | None, before: Sighting) -> bool:
    if earlier is None or before.at - earlier.at < MIN_RUN:
        return False
    return earlier.is_up and earlier.invocation == before.invocation
