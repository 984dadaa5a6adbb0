"""The documents about agents."""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.changes import CHANGE
from opmas.cli.schemas.limits import CUT, DETAIL, ORIGINS, USAGE
from opmas.cli.schemas.terms import (
    ERROR,
    amount,
    flag,
    list_of,
    map_of,
    moment,
    names,
    number,
    one_of,
    or_null,
    record,
    text,
)

PHASE: Final = one_of(
    "where it is in its life, as systemd shows it",
    *("registered", "starting", "running", "reloading", "stopping", "stopped"),
    *("backoff", "failed", "quarantined"),
)
HEALTH_WORDS: Final = ("healthy", "degraded", "unhealthy", "unknown")
DESIRED: Final = one_of("what is wanted", "running", "stopped")
NEED: Final = {
    "name": text("the need, as it is granted: `network=observe`"),
    "explanation": text("what it opens"),
}
NEED_RECORD: Final = record("one need", NEED)
OPTIONAL_LIMITS: Final = record(
    "limits; null where this layer sets none",
    {
        "memory_max": or_null(number("bytes; above it the kernel kills")),
        "memory_high": or_null(number("bytes; above it the kernel throttles")),
        "tasks_max": or_null(number("processes and threads")),
        "cpu_quota": or_null(number("percent of one CPU")),
        "cpu_weight": or_null(number("1 to 10000; share when CPUs are busy")),
        "io_weight": or_null(number("1 to 10000; share when disks are busy")),
    },
)
LAST_EXIT: Final = or_null(
    record(
        "how its main process last went down by itself; null when it never did",
        {
            "code": text("`exited`, `killed` or `dumped`"),
            "status": number("exit status, or signal number"),
            "signal": or_null(text("such as `SIGKILL`; null unless killed")),
            "result": text("systemd's word for it, such as `signal` or `watchdog`"),
            "at": moment("when"),
        },
    )
)
HEALTH_CHECK: Final = record(
    "one check",
    {
        "name": text("the check"),
        "status": one_of("its result", *HEALTH_WORDS),
        "code": or_null(text("for programs")),
        "message": or_null(text("for people")),
    },
)
HEALTH_FACT: Final = record(
    "one fact that its health rests on",
    {
        "name": text("what it is about: `unit`, `report`, `report/CHECK`, `probe`, …"),
        "status": one_of("what it says of the health", *HEALTH_WORDS),
        "code": text("for programs"),
        "message": text("for people"),
        "source": one_of("who says so", "agent", "probe", "systemd", "kernel", "opmas"),
        "at": or_null(moment("when it was learned; null: it holds now")),
        "age": or_null(amount("seconds since then")),
    },
)
NEWER: Final = (
    "limits_origin",
    "limits_cut",
    "ready",
    "alive",
)  # not from a manager before an upgrade
AGENT: Final = record(
    "One agent.",
    {
        "name": text("the agent"),
        "package": text("the package that it is made from"),
        "package_version": or_null(text("the version that it runs; null when that is missing")),
        "version": or_null(text("the version that it was given; null: the only one there is")),
        "trust": or_null(
            text("who vouches for that: `key`, `dpkg`, `unsigned` for nobody; null: it is missing")
        ),
        "change": or_null(number("the change that it is in; null when there is none")),
        "unit": text("its systemd unit"),
        "desired": DESIRED,
        "phase": PHASE,
        "reason": text("why it is in its phase: docs/reference/reasons.md"),
        "message": text("the same as a sentence for people"),
        "since": moment("since when it is in its phase"),
        "health": one_of("how well it does", *HEALTH_WORDS),
        "health_message": or_null(text("what it says of its health")),
        "checks": list_of("its health checks", HEALTH_CHECK),
        "ready": flag("whether it came up and serves"),
        "alive": flag("whether its process runs and does not fail a check of its life"),
        "health_facts": list_of("what its health rests on (of one agent only)", HEALTH_FACT),
        "held_by": or_null(text("who stopped it behind the manager's back: `systemctl`")),
        "needs_restart": flag("whether a change waits for a restart"),
        "main_pid": or_null(number("its main process")),
        "restarts": number("how often systemd restarted it since it was last started"),
        "status_text": or_null(text("the line that it shows in `systemctl status`")),
        "last_exit": LAST_EXIT,
        "config_version": number("counts changes of its configuration"),
        "config": or_null(
            map_of(
                "its own configuration, without the package's defaults; `(secret)` for a secret"
            )
        ),
        "limits": map_of("what applies to it: memory in bytes, cpu_quota in percent"),
        "limits_origin": ORIGINS,
        "limits_cut": CUT,
        "own_limits": map_of("those of its limits that are its own"),
        "recovery": map_of("what is done when it fails: docs/reference/recovery.md"),
        "own_recovery": map_of("what of that is its own"),
        "grants": names("what was granted to it"),
        "needs": names("what its package needs"),
        "after": names("agents that are started before it"),
        "usage": USAGE,
        "usage_detail": DETAIL,
        "metrics": list_of("what it sent last (of one agent only)", {"type": "object"}),
        "revision": number("counts all changes; a change can be made to depend on it"),
        "created_at": moment("when it was created"),
        "updated_at": moment("when it was last changed"),
        "managed_by": text("who owns its declaration: `manager`"),
    },
    optional=(*NEWER, "health_facts", "usage_detail", "metrics"),
)
DECISION: Final = record(
    "one decision of the ladder of recovery",
    {
        "at": moment("when"),
        "rung": text("the rung: docs/reference/recovery.md"),
        "reason": text("the reason that it gave the agent: docs/reference/reasons.md"),
        "delay": or_null(amount("seconds until the next try; null when there is none")),
        "facts": names("what it rests on, as sentences"),
        "inputs": map_of("what it rests on, for programs"),
    },
)
PLANNED_NEED: Final = record("one need", {**NEED, "granted": flag("whether it is granted")})
PLAN: Final = record(
    "What `--dry-run` would ask of the manager.",
    {
        "action": one_of("what", "create", "update"),
        "name": text("the agent"),
        "package": text("the package"),
        "package_version": text("its version"),
        "desired": DESIRED,
        "config": map_of("the configuration"),
        "limits": map_of("the agent's own limits"),
        "recovery": map_of("the agent's own word on what is done when it fails"),
        "after": names("agents that are started before it"),
        "needs": list_of("what the package needs", PLANNED_NEED),
        "missing": names("needs that are not granted"),
        "changes": names("members that would change (update only)"),
        "change": or_null(
            {**CHANGE, "description": "the manager's plan; null while grants are missing"}
        ),
    },
)
RESULT: Final = record(
    "one agent's result",
    {
        "name": text("the agent"),
        "ok": flag("whether what was asked for is so (with --no-wait: was accepted)"),
        "removed": flag("whether it is gone"),
        "agent": or_null(map_of("the agent as it is now, as in opmas.agent/v1; null when gone")),
        "error": or_null(ERROR),
        "change": or_null(number("the change that it began (`agent remove` only)")),
    },
)
