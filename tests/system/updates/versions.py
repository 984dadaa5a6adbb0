"""The corpus of bad versions: what is wrong with each, and what must come of an update to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from tests.system.updates.packages import LIMITS, TIMEOUTS

PORT: Final = 47011  # faults.PORT: the agent `holder` has it
MIGRATES: Final[dict[str, Any]] = {"hooks": {"migrate": "served:migrate"}}
LOOPBACK: Final[dict[str, Any]] = {"sandbox": {"network": "loopback"}}


class End(StrEnum):
    """What comes of an update to a bad version."""

    UNDONE = "undone"
    REFUSED = "refused"  # the agent goes on as if nothing had been
    KEPT = "kept"  # it is not caught: docs/explanation/updates.md says why
    LEFT = "left"  # it is undone, and the agent does not serve again


@dataclass(frozen=True, slots=True)
class BadVersion:
    """One bad version. `reasons` are those that its change may end with.

    `at_once`: what is wrong shows as soon as it begins; else some time must go by: a timeout, a
    watchdog, the window. `keys` go into the agent.yaml of the bad version, `both` also into the
    good one's.
    """

    name: str
    words: str
    fault: str
    end: End
    reasons: tuple[str, ...]
    at_once: bool = False
    keys: dict[str, Any] = field(default_factory=dict)
    both: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    disk: str = ""  # the size of a file system of its own for its data
    note: str = ""  # what is published of one that is kept

    @property
    def is_slow(self) -> bool:
        """Whether its end comes with the end of the window, or near it."""
        return self.end is End.KEPT or self.reasons[0] in LATE or "40" in self.name


def undone(name: str, words: str, fault: str, *reasons: str, **more: Any) -> BadVersion:
    return BadVersion(name, words, fault, End.UNDONE, reasons, at_once=True, **more)


def undone_late(name: str, words: str, fault: str, *reasons: str, **more: Any) -> BadVersion:
    return BadVersion(name, words, fault, End.UNDONE, reasons, **more)


def refused(name: str, words: str, reason: str, fault: str = "", **more: Any) -> BadVersion:
    return BadVersion(name, words, fault, End.REFUSED, (reason,), **more)


def kept(name: str, words: str, fault: str, reason: str, note: str, **more: Any) -> BadVersion:
    return BadVersion(name, words, fault, End.KEPT, (reason,), note=note, **more)


LATE: Final = frozenset({"cpu", "degraded"})
BAD_VERSIONS: Final = (
    undone("exits-at-once", "exits as soon as it starts", "ExitsAtOnce", "failed-to-start"),
    undone("exits-after-40s", "exits with 1 after 40 s", "ExitsLater", "exited"),
    undone("crashes-every-20s", "exits with 1 every 20 s", "CrashesEvery20s", "exited"),
    undone("raises-in-setup", "ends with a traceback in setup", "Raises", "failed-to-start"),
    undone("refuses-config", "exits with 78", "RefusesItsConfig", "config-error"),
    undone("ends-well", "exits with 0", "EndsWell", "exited"),
    undone("segfaults", "ends by SIGSEGV", "Segfaults", "exited"),
    undone(
        "misses-a-module", "imports a module that is not there", "MissesAModule",
        "failed-to-start",
    ),
    undone(
        "misses-its-class", "names a class that is not there", "", "config-error",
        keys={"entry": "served:Nobody"},
    ),
    undone(
        "fails-its-check", "its hook check refuses to start it", "FailsItsCheck",
        "failed-to-start", keys={"hooks": {"check": "served:check"}},
    ),
    undone(
        "takes-a-port", "binds a port that another agent has", "TakesAPort", "failed-to-start",
        both=LOOPBACK,
    ),
    undone("turns-unhealthy", "is unhealthy after 10 s", "TurnsUnhealthy", "unhealthy"),
    undone(
        "migrates-by-half", "its migration fails half way", "MigratesByHalf", "migration-failed",
        keys=MIGRATES,
    ),
    undone(
        "spoils-migrated", "migrates its data, spoils it and ends", "SpoilsItsData", "exited",
        keys=MIGRATES,
    ),
    undone("forks-on", "forks until it may not", "ForksOnAndOn", "exited", "out-of-memory"),
    undone_late(
        "hangs-in-start", "hangs in setup; its start timeout is 3 s", "HangsInStart",
        "start-timeout", keys={"timeouts": {**TIMEOUTS, "start": 3}},
    ),
    undone_late(
        "retries-its-start", "tries again and again to start, and says why it cannot",
        "RetriesItsStart", "start-timeout",
    ),
    undone_late("hangs", "hangs after 6 s; its watchdog is 4 s", "Hangs", "hung"),
    undone_late("livelock", "tries the same again without a pause", "Livelock", "hung"),
    # cgroup v1, of some lab hosts, does not tell who killed it: then it takes two kills
    undone_late(
        "leaks", "takes 8 MB a second, to its limit of 64", "Leaks", "out-of-memory",
        "memory-leak", "crash-loop",
    ),
    undone_late(
        "leaks-slowly", "takes 0.5 MB a second: the limit is beyond the window", "LeaksSlowly",
        "memory-leak",
    ),
    undone_late(
        "burns-cpu", "takes ten times as much CPU", "BurnsCpu", "cpu",
        both={"limits": {**LIMITS, "cpu_weight": 1000}},
    ),
    undone_late("emits-errors", "reports two errors a second", "EmitsErrors", "errors"),
    undone_late("turns-degraded", "is degraded after 6 s", "TurnsDegraded", "degraded"),
    undone_late("loses-jobs", "is degraded, with an error every 3 s", "LosesJobs", "errors"),
    refused(
        "refuses-the-config", "its schema refuses the agent's configuration", "invalid-value",
        config={"color": "red"},
        keys={"config": {"schema": {"type": "object", "properties": {"color": {"enum": [1]}}}}},
    ),
    refused("misses-an-agent", "requires an agent that is not there", "invalid-value",
            keys={"requires": ["nobody"]}),
    refused("wrong-python", "is for Python 3.13 and later", "unfit-python",
            keys={"requires_python": ">=3.13"}),
    refused("wants-more", "needs the network, which it was not granted", "grant-required",
            keys={"sandbox": {"network": "full"}}),
    BadVersion(
        "spoils-its-data", "spoils its data and ends, without a migration", "SpoilsItsData",
        End.LEFT, ("exited",),
        note="Data is copied only when a version declares `migrate`: what others spoil stays so.",
    ),
    kept("ignores-sigterm", "does not end when it is told to", "IgnoresSigterm", "well",
         "Nobody stops it in the window. Its unit's stop timeout ends it when somebody does."),
    kept("livelock-with-pauses", "gets nothing done, and waits in between", "PoliteLivelock",
         "well", "For the SDK each `wait` is progress. The agent's own health check can tell."),
    kept("leaks-very-slowly", "takes 2 MB a minute", "LeaksVerySlowly", "well",
         "It would be at its limit in half an hour; nothing in a minute tells it from a cache."),
    kept("kills-itself-once", "ends once by SIGKILL", "KillsItself", "well",
         "One SIGKILL is taken for an admin's. systemd starts it again."),
    kept("exits-after-the-window", "exits with 1 after 100 s", "ExitsAfterTheWindow", "well",
         "The window was 60 s. systemd starts it again."),
    kept("has-a-wrong-address", "is unhealthy: it connects to where nobody is", "SaysItIsOutside",
         "outside-server", "It says what it would say when its server were away."),
    kept("fills-its-disk", "fills the file system of its data", "FillsItsDisk", "disk-full",
         "A full disk excuses it, whoever filled it.", disk="32m"),
    kept("counts-wrongly", "does its work wrongly", "CountsWrongly", "well",
         "Only a health check of its own can know."),
)  # fmt: skip
