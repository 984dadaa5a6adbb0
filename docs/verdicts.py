"""The tables of docs/reference/verdicts.md, with the figures that the code judges by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.change import evidence, findings, surroundings, window
from opmas.core.change.cause import EXCUSES, GATES, SENTENCES, TROUBLES, Cause
from opmas.core.change.surroundings import MIB, OUTSIDE_CODES, OUTSIDE_PREFIX, OUTSIDE_STATUSES
from opmas.core.change.weight import EXITS, HABIT
from opmas.core.change.window import MIGRATING, SECONDS, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEN: Final = {
    Cause.EXITED: "at once, by the table of exits",
    Cause.CRASH_LOOP: "at once, by the table of exits",
    Cause.FAILED_TO_START: (
        "at once, by the table of exits, or when systemd gave it up or cannot start it; at the end"
        " of the window when it is not up"
    ),
    Cause.START_TIMEOUT: (
        f"at its start timeout, after {findings.STUCK:.0f} s in which it says itself why it cannot"
        " start, at the latest after 10 minutes"
    ),
    Cause.HUNG: (
        "when its watchdog runs out; without one, after"
        f" {findings.STALL:.0f} s in which it would have made {findings.STALL_STEPS:.0f} steps"
    ),
    Cause.CONFIG_ERROR: "at once: exit status 78, or the agent vetoed it (`config-refused`)",
    Cause.OUT_OF_MEMORY: "at once",
    Cause.MEMORY_LEAK: (
        f"at once above {evidence.MEMORY_MARK:.0%} of its limit, with {findings.LEAK_FACTOR:.0f}"
        " times as much as before and growing; at the end of the window when it grew in each of"
        f" the last {findings.LEAK_SLICES} stretches of {evidence.SLICE:.0f} s by"
        f" {findings.LEAK_STEP:.0%} of the limit or more, and would be there in"
        f" {findings.LEAK_SOON / 60:.0f} minutes"
    ),
    Cause.CPU: (
        f"{HABIT:.0f} times as much as before and {findings.CPU_MORE:g} CPUs more: after"
        f" {findings.CPU_SLICES * evidence.SLICE:.0f} s of it, at the end of the window after"
        f" {findings.CPU_SLICES_AT_END * evidence.SLICE:.0f} s; the first"
        f" {evidence.WARM_UP:.0f} s do not count"
    ),
    Cause.ERRORS: (
        f"{findings.ERRORS} or more, and more than {HABIT:.0f} times as many as before:"
        f" when they go on for {findings.ERRORS_LAST:.0f} s, or at the end of the window when they"
        f" came in its last {findings.ERRORS_RECENT:.0f} s"
    ),
    Cause.UNHEALTHY: f"after {findings.UNWELL:.0f} s",
    Cause.DEGRADED: (
        f"at the end of the window, after {findings.DEGRADED:.0f} s of it (half a shorter window)"
    ),
    Cause.STOP_IGNORED: "at once, when somebody stops or restarts it in the window",
    Cause.MIGRATION_FAILED: "at once",
}
HOLDS: Final = {
    Cause.NOTHING_BEFORE: "the agent was created by this change",
    Cause.WAS_NOT_RUNNING: "it was stopped, or held by `systemctl stop`",
    Cause.WAS_FAILING: (
        "it was not up, unhealthy, or was given up by systemd lately; when it was degraded, only"
        " its health is excused"
    ),
    Cause.STOPPED_BY_ADMIN: "somebody stopped or masked it since",
    Cause.NOT_STARTED: "systemd has made no new run of it yet",
    Cause.DATABASE_DOWN: "as long as the database of the manager cannot be written",
    Cause.SAME_ELSEWHERE: "agents of the same package that were not changed got worse since",
    Cause.DISK_FULL: (
        f"less than {surroundings.DISK_FULL_BYTES / MIB:.0f} MiB are free, or less than"
        f" {surroundings.DISK_LOW_BYTES / MIB:.0f} MiB and {surroundings.DISK_LOW:.0%}"
    ),
    Cause.DEPENDENCY_DOWN: "an agent of its `requires` or `wants` is not up",
    Cause.OUTSIDE_SERVER: "all of its checks that are not healthy say so, or its exit status does",
    Cause.HOST_OVERLOADED: (
        f"processes wait {surroundings.CPU_PRESSURE:.0f}% of the time for a CPU, or"
        f" {surroundings.IO_PRESSURE:.0f}% for a disk (PSI `some avg10`), and it does"
        f" not use {evidence.BUSY:g} CPUs more than before itself"
    ),
    Cause.HOST_MEMORY: (
        f"processes wait {surroundings.MEMORY_PRESSURE:.0f}% of the time for memory, and the agent"
        f" was always below {evidence.MEMORY_MARK:.0%} of its own limit and is not slowed down by"
        " it"
    ),
}
SIZES: Final = {
    Size.NONE: "a change that touches nothing that runs",
    Size.LIMITS: "limits",
    Size.SETTINGS: "grants, order and other settings",
    Size.CONFIG: "configuration",
    Size.MICRO: "an update or rollback within 1.2.x",
    Size.MINOR: "from 1.2 to 1.3",
    Size.MAJOR: "from 1 to 2",
}


def causes() -> Iterator[tuple[str, ...]]:
    """Yield what makes a change bad, and when that is seen."""
    for cause, excuses in EXCUSES.items():
        told = ", ".join(f"`{excuse}`" for excuse in excuses)
        yield (f"`{cause}`", SENTENCES[cause], WHEN[cause], told)


def gates() -> Iterator[tuple[str, ...]]:
    """Yield what excuses everything."""
    for cause in GATES:
        yield (f"`{cause}`", SENTENCES[cause], HOLDS[cause])


def troubles() -> Iterator[tuple[str, ...]]:
    """Yield what excuses that for which it can be the reason."""
    for cause in TROUBLES:
        yield (f"`{cause}`", SENTENCES[cause], HOLDS[cause])


def exits() -> Iterator[tuple[str, ...]]:
    """Yield how many exits undo a change."""
    for weight, (steady, unsteady) in EXITS.items():
        final = steady == unsteady == 1
        yield (
            weight.value,
            str(steady),
            "1" if final else f"{unsteady} and {HABIT:.0f} times its habit",
        )


def windows() -> Iterator[tuple[str, ...]]:
    """Yield how long each change is watched."""
    for size, seconds in SECONDS.items():
        yield (
            SIZES[size],
            f"{seconds:.0f} s",
            f"{min(seconds * MIGRATING, window.LONGEST):.0f} s",
        )


def outside() -> str:
    """Return how an agent says that something outside is away."""
    codes = ", ".join(f"`{code}`" for code in sorted(OUTSIDE_CODES))
    statuses = ", ".join(f"{number} (`{name}`)" for number, name in OUTSIDE_STATUSES.items())
    return (
        f"- codes of checks: {codes}, and all that begin with `{OUTSIDE_PREFIX}`\n"
        f"- exit statuses of sysexits(3): {statuses}"
    )
