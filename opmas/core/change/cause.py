"""Why a change is undone, and why it is not: two closed lists, and which excuse holds for what.

docs/reference/verdicts.md is generated from the tables here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cause(StrEnum):
    """What is wrong with an agent after a change, or what excuses it."""

    # What makes a change bad.
    EXITED = "exited"
    CRASH_LOOP = "crash-loop"
    FAILED_TO_START = "failed-to-start"
    START_TIMEOUT = "start-timeout"
    HUNG = "hung"
    CONFIG_ERROR = "config-error"
    OUT_OF_MEMORY = "out-of-memory"
    MEMORY_LEAK = "memory-leak"
    CPU = "cpu"
    ERRORS = "errors"
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"
    STOP_IGNORED = "stop-ignored"
    MIGRATION_FAILED = "migration-failed"
    # What excuses it.
    NOTHING_BEFORE = "nothing-to-go-back-to"
    WAS_NOT_RUNNING = "was-not-running"
    WAS_FAILING = "was-failing-before"
    STOPPED_BY_ADMIN = "stopped-by-admin"
    NOT_STARTED = "not-started"
    DATABASE_DOWN = "database-down"
    SAME_ELSEWHERE = "same-elsewhere"
    DISK_FULL = "disk-full"
    DEPENDENCY_DOWN = "dependency-down"
    OUTSIDE_SERVER = "outside-server"
    HOST_OVERLOADED = "host-overloaded"
    HOST_MEMORY = "host-memory-short"


SENTENCES: Final[Mapping[Cause, str]] = {
    Cause.EXITED: "it ended by itself, which it did not do before",
    Cause.CRASH_LOOP: "it ends again and again",
    Cause.FAILED_TO_START: "it does not come up",
    Cause.START_TIMEOUT: "it does not get ready",
    Cause.HUNG: "it hangs: its work stands still",
    Cause.CONFIG_ERROR: "it refuses its configuration",
    Cause.OUT_OF_MEMORY: "it was killed because it used more memory than it may",
    Cause.MEMORY_LEAK: "its memory grows towards its limit, far beyond what it used before",
    Cause.CPU: "it uses several times as much CPU as before, and goes on so",
    Cause.ERRORS: "it reports many more errors than before",
    Cause.UNHEALTHY: "it is unhealthy, and was not before",
    Cause.DEGRADED: "it is degraded, and was healthy before",
    Cause.STOP_IGNORED: "it did not end when it was told to, and had to be killed",
    Cause.MIGRATION_FAILED: "its data could not be brought to the new version",
    Cause.NOTHING_BEFORE: "there is nothing to go back to",
    Cause.WAS_NOT_RUNNING: "it did not run before, so there is nothing to compare with",
    Cause.WAS_FAILING: "it did no better before",
    Cause.STOPPED_BY_ADMIN: "somebody stopped it",
    Cause.NOT_STARTED: "it still waits for its turn to start",
    Cause.DATABASE_DOWN: "OPMAS cannot save a decision now",
    Cause.SAME_ELSEWHERE: "agents of the old version got worse at the same time",
    Cause.DISK_FULL: "the disk is full",
    Cause.DEPENDENCY_DOWN: "an agent that it depends on is down",
    Cause.OUTSIDE_SERVER: "something outside that it needs is away, by its own word",
    Cause.HOST_OVERLOADED: "the host is overloaded, and not by this agent",
    Cause.HOST_MEMORY: "the host is short of memory, and not by this agent",
}

# These hold for whatever is wrong, as long as they last. The first that holds is told.
GATES: Final = (
    Cause.NOTHING_BEFORE,
    Cause.WAS_NOT_RUNNING,
    Cause.WAS_FAILING,
    Cause.STOPPED_BY_ADMIN,
    Cause.NOT_STARTED,
    Cause.DATABASE_DOWN,
)

_ALL: Final = (Cause.SAME_ELSEWHERE,)
_WORK: Final = (*_ALL, Cause.DISK_FULL, Cause.DEPENDENCY_DOWN, Cause.OUTSIDE_SERVER)
_SLOW: Final = (*_WORK, Cause.HOST_OVERLOADED, Cause.HOST_MEMORY)

# Troubles around the agent, and what they can be the reason of: what else goes wrong at the same
# time is not their doing. The first that holds is told.
EXCUSES: Final[Mapping[Cause, tuple[Cause, ...]]] = {
    Cause.EXITED: _WORK,
    Cause.CRASH_LOOP: _WORK,
    Cause.FAILED_TO_START: _WORK,
    Cause.START_TIMEOUT: _SLOW,
    Cause.HUNG: _SLOW,
    Cause.CONFIG_ERROR: (Cause.DISK_FULL,),
    Cause.OUT_OF_MEMORY: (*_ALL, Cause.HOST_MEMORY),
    Cause.MEMORY_LEAK: _ALL,
    Cause.CPU: _ALL,
    Cause.ERRORS: _SLOW,
    Cause.UNHEALTHY: _SLOW,
    Cause.DEGRADED: _SLOW,
    Cause.STOP_IGNORED: (*_ALL, Cause.DISK_FULL, Cause.HOST_OVERLOADED, Cause.HOST_MEMORY),
    Cause.MIGRATION_FAILED: (Cause.DISK_FULL,),
}
TROUBLES: Final = tuple(
    cause for cause in Cause if any(cause in excuses for excuses in EXCUSES.values())
)
