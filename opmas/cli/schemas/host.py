"""The documents about the host: its events, checks and tokens."""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.terms import (
    amount,
    list_of,
    map_of,
    moment,
    number,
    one_of,
    or_null,
    record,
    text,
)

EVENT: Final = record(
    "One event: CloudEvents 1.0.",
    {
        "specversion": text("`1.0`"),
        "id": text("the sequence as text"),
        "source": text("`/hosts/` and the host's name"),
        "type": text("such as `opmas.agent.phase`: docs/reference/events.md"),
        "subject": text("what it is about, such as `agent/web`"),
        "time": moment("when"),
        "sequence": number("its number on this host, without gaps"),
        "datacontenttype": text("`application/json`"),
        "data": map_of("what it tells; depends on the type"),
    },
)
DROPPED: Final = record(
    "a range of numbers",
    {
        "first": number("the first that is gone"),
        "last": number("the last"),
        "reason": one_of(
            "why: docs/reference/events.md",
            *("age", "count", "size", "agent-quota", "disk-full", "restored"),
        ),
    },
)
ALERT: Final = record(
    "One alert.",
    {
        "alert": one_of(
            "what it is about",
            *("quarantined", "failed", "unhealthy", "undone", "restarts-often"),
            "near-memory-limit",
            "restart-budget",
        ),
        "severity": one_of("how much it matters", "info", "warning", "critical"),
        "subject": text("what it is about, such as `agent/web` or `host`"),
        "message": text("for people"),
        "since": moment("since when it is up"),
    },
)
HOST: Final = record(
    "The manager and what it sees of the host.",
    {
        "version": text("the manager's version"),
        "host": text("the host's name"),
        "started_at": moment("when the manager was started"),
        "boot_id": text("changes with each boot of the host"),
        "state": one_of("how the manager does", "ok", "degraded"),
        "problems": list_of(
            "what is wrong with the manager",
            record("one", {"code": text("for programs"), "message": text("for people")}),
        ),
        "systemd": record(
            "the host's systemd",
            {
                "version": or_null(text("its version")),
                "connection": one_of("how the manager reaches it", "private", "bus", "down"),
                "answer_seconds": or_null(amount("how long its last answer took, by the bridge")),
            },
            optional=("answer_seconds",),  # not from a manager before an upgrade
        ),
        "agents": record(
            "how many agents",
            {
                "total": number("all"),
                "phases": map_of("phase -> how many", {"type": "integer"}),
                "health": map_of("health -> how many", {"type": "integer"}),
            },
        ),
        "alerts": map_of("severity -> how many alerts are up", {"type": "integer"}),
        "packages": number("how many packages"),
        "events": record(
            "the event log",
            {"first": number("oldest sequence"), "last": number("newest sequence")},
        ),
        "memory_bytes": or_null(number("memory of the manager")),
    },
)
CHECK: Final = record(
    "one check",
    {
        "name": text("what was looked at"),
        "status": one_of("the result", "ok", "warning", "failed"),
        "found": text("what was found"),
        "mend": text("how to mend it; empty when it is well"),
    },
)
TOKEN: Final = {
    "id": text("the token's ID"),
    "name": text("who or what uses it"),
    "created_at": moment("when it was made"),
    "expires_at": or_null(moment("when it ends; null: never")),
    "last_used_at": or_null(moment("when it was last used, to the minute")),
    "revoked_at": or_null(moment("when it was revoked")),
}
