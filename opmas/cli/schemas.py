"""The JSON Schemas of what `--json` prints; docs/reference/json.md is made from them.

A schema's name ends in its version. Within a version members are only added, never removed or
given another meaning, so a reader must ignore members that it does not know. Every member named
here is always there; what is unknown is null.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]


def _kind(kind: str, text: str, **more: Any) -> Schema:
    return {"type": kind, "description": text, **more}


def _text(text: str, **more: Any) -> Schema:
    return _kind("string", text, **more)


def _number(text: str) -> Schema:
    return _kind("integer", text)


def _amount(text: str) -> Schema:
    return _kind("number", text)


def _flag(text: str) -> Schema:
    return _kind("boolean", text)


def _time(text: str) -> Schema:
    return _text(f"{text} (RFC 3339, UTC)")


def _one_of(text: str, *words: str) -> Schema:
    return _text(text, enum=list(words))


def _list(text: str, items: Schema) -> Schema:
    return _kind("array", text, items=items)


def _names(text: str) -> Schema:
    return _list(text, {"type": "string"})


def _map(text: str, values: Schema | None = None) -> Schema:
    return _kind("object", text, **({"additionalProperties": values} if values else {}))


def _record(text: str, members: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in members if name not in optional]
    return _kind("object", text, properties=members, required=required)


def _or_null(schema: Schema) -> Schema:
    allowed = [*schema["enum"], None] if "enum" in schema else None
    return {
        **schema,
        "type": [schema["type"], "null"],
        **({"enum": allowed} if allowed else {}),
    }


PROBLEMS: Final = _names("every single fault, as `path: reason` where there is a path")
ERROR: Final = _record(
    "an error",
    {
        "code": _text("what went wrong, for programs: docs/reference/errors.md"),
        "message": _text("what went wrong, for people"),
        "problems": PROBLEMS,
    },
)
PHASE: Final = _one_of(
    "where it is in its life, as systemd shows it",
    *("registered", "starting", "running", "reloading", "stopping", "stopped"),
    *("backoff", "failed", "quarantined"),
)
HEALTH_WORDS: Final = ("healthy", "degraded", "unhealthy", "unknown")
DESIRED: Final = _one_of("what is wanted", "running", "stopped")
NEED: Final = {
    "name": _text("the need, as it is granted: `network=observe`"),
    "explanation": _text("what it opens"),
}
OPTIONAL_LIMITS: Final = _record(
    "limits; null where this layer sets none",
    {
        "memory_max": _or_null(_number("bytes; above it the kernel kills")),
        "memory_high": _or_null(_number("bytes; above it the kernel throttles")),
        "tasks_max": _or_null(_number("processes and threads")),
        "cpu_quota": _or_null(_number("percent of one CPU")),
        "cpu_weight": _or_null(_number("1 to 10000; share when CPUs are busy")),
    },
)
LAST_EXIT: Final = _or_null(
    _record(
        "how its main process last went down by itself; null when it never did",
        {
            "code": _text("`exited`, `killed` or `dumped`"),
            "status": _number("exit status, or signal number"),
            "signal": _or_null(_text("such as `SIGKILL`; null unless killed")),
            "result": _text("systemd's word for it, such as `signal` or `watchdog`"),
            "at": _time("when"),
        },
    )
)
USAGE: Final = _record(
    "what it uses now; null when it does not run",
    {
        "memory_bytes": _or_null(_number("memory of its control group")),
        "tasks": _or_null(_number("processes and threads")),
        "cpu_seconds": _or_null(_amount("CPU time since it was started")),
    },
)
HEALTH_CHECK: Final = _record(
    "one check",
    {
        "name": _text("the check"),
        "status": _one_of("its result", *HEALTH_WORDS),
        "code": _or_null(_text("for programs")),
        "message": _or_null(_text("for people")),
    },
)

AGENT: Final = _record(
    "One agent.",
    {
        "name": _text("the agent"),
        "package": _text("the package that it is made from"),
        "package_version": _or_null(_text("null when the package is missing")),
        "unit": _text("its systemd unit"),
        "desired": DESIRED,
        "phase": PHASE,
        "reason": _text("why it is in its phase: docs/reference/reasons.md"),
        "message": _text("the same as a sentence for people"),
        "since": _time("since when it is in its phase"),
        "health": _one_of("how well it does", *HEALTH_WORDS),
        "health_message": _or_null(_text("what it says of its health")),
        "checks": _list("its health checks", HEALTH_CHECK),
        "held_by": _or_null(_text("who stopped it behind the manager's back: `systemctl`")),
        "needs_restart": _flag("whether a change waits for a restart"),
        "main_pid": _or_null(_number("its main process")),
        "restarts": _number("how often systemd restarted it since it was last started"),
        "status_text": _or_null(_text("the line that it shows in `systemctl status`")),
        "last_exit": LAST_EXIT,
        "config_version": _number("counts changes of its configuration"),
        "config": _or_null(_map("its own configuration, without the package's defaults")),
        "limits": _map("what applies to it: memory in bytes, cpu_quota in percent"),
        "own_limits": _map("those of its limits that are its own"),
        "grants": _names("what was granted to it"),
        "needs": _names("what its package needs"),
        "after": _names("agents that are started before it"),
        "usage": USAGE,
        "metrics": _list("what it sent last (`agent show` only)", {"type": "object"}),
        "revision": _number("counts all changes; a change can be made to depend on it"),
        "created_at": _time("when it was created"),
        "updated_at": _time("when it was last changed"),
        "managed_by": _text("who owns its declaration: `manager`"),
    },
    optional=("metrics",),
)
PACKAGE: Final = _record(
    "One agent package.",
    {
        "name": _text("the package"),
        "version": _text("its version"),
        "summary": _text("what it is"),
        "runtime": _one_of("what runs", "python", "exec"),
        "source": _one_of("where it came from", "deb", "directory"),
        "deb": _or_null(_text("the Debian package")),
        "path": _text("its directory"),
        "needs": _list("what it needs beyond the sandbox", _record("one need", NEED)),
        "limits": OPTIONAL_LIMITS,
        "agents": _names("agents made from it"),
        "state": _one_of("whether agents can run from it", "ready", "missing"),
        "manifest": _map("its whole agent.yaml (`package show` only)"),
    },
    optional=("manifest",),
)
EVENT: Final = _record(
    "One event: CloudEvents 1.0.",
    {
        "specversion": _text("`1.0`"),
        "id": _text("the sequence as text"),
        "source": _text("`/hosts/` and the host's name"),
        "type": _text("such as `opmas.agent.phase`: docs/reference/events.md"),
        "subject": _text("what it is about, such as `agent/web`"),
        "time": _time("when"),
        "sequence": _number("its number on this host, without gaps"),
        "datacontenttype": _text("`application/json`"),
        "data": _map("what it tells; depends on the type"),
    },
)
HOST: Final = _record(
    "The manager and what it sees of the host.",
    {
        "version": _text("the manager's version"),
        "host": _text("the host's name"),
        "started_at": _time("when the manager was started"),
        "boot_id": _text("changes with each boot of the host"),
        "state": _one_of("how the manager does", "ok", "degraded"),
        "problems": _list(
            "what is wrong with the manager",
            _record("one", {"code": _text("for programs"), "message": _text("for people")}),
        ),
        "systemd": _record(
            "the host's systemd",
            {
                "version": _or_null(_text("its version")),
                "connection": _one_of("how the manager reaches it", "private", "bus", "down"),
            },
        ),
        "agents": _record(
            "how many agents",
            {
                "total": _number("all"),
                "phases": _map("phase -> how many", {"type": "integer"}),
                "health": _map("health -> how many", {"type": "integer"}),
            },
        ),
        "packages": _number("how many packages"),
        "events": _record(
            "the event log",
            {"first": _number("oldest sequence"), "last": _number("newest sequence")},
        ),
        "memory_bytes": _or_null(_number("memory of the manager")),
    },
)
PLANNED_NEED: Final = _record("one need", {**NEED, "granted": _flag("whether it is granted")})
PLAN: Final = _record(
    "What `--dry-run` would ask of the manager.",
    {
        "action": _one_of("what", "create", "update"),
        "name": _text("the agent"),
        "package": _text("the package"),
        "package_version": _text("its version"),
        "desired": DESIRED,
        "config": _map("the configuration"),
        "limits": _map("the agent's own limits"),
        "after": _names("agents that are started before it"),
        "needs": _list("what the package needs", PLANNED_NEED),
        "missing": _names("needs that are not granted"),
        "changes": _names("members that would change (update only)"),
    },
)
RESULT: Final = _record(
    "one agent's result",
    {
        "name": _text("the agent"),
        "ok": _flag("whether what was asked for is so (with --no-wait: was accepted)"),
        "removed": _flag("whether it is gone"),
        "agent": _or_null(_map("the agent as it is now, as in opmas.agent/v1; null when gone")),
        "error": _or_null(ERROR),
    },
)
CHECK: Final = _record(
    "one check",
    {
        "name": _text("what was looked at"),
        "status": _one_of("the result", "ok", "warning", "failed"),
        "found": _text("what was found"),
        "mend": _text("how to mend it; empty when it is well"),
    },
)
TOKEN: Final = {
    "id": _text("the token's ID"),
    "name": _text("who or what uses it"),
    "created_at": _time("when it was made"),
    "expires_at": _or_null(_time("when it ends; null: never")),
    "last_used_at": _or_null(_time("when it was last used, to the minute")),
    "revoked_at": _or_null(_time("when it was revoked")),
}

SCHEMAS: Final[dict[str, Schema]] = {
    "opmas.status/v1": _record(
        "The host at a glance.",
        {
            "state": _one_of("`attention` with exit code 1", "ok", "attention"),
            "attention": _names("agents that need attention"),
            "host": HOST,
            "agents": _list("all agents, by name", AGENT),
        },
    ),
    "opmas.agent-list/v1": _record("Agents.", {"agents": _list("by name", AGENT)}),
    "opmas.agent/v1": AGENT,
    "opmas.agent-plan/v1": PLAN,
    "opmas.agent-results/v1": _record(
        "What came of a command for several agents.",
        {"results": _list("one for each name, in their order", RESULT)},
    ),
    "opmas.explanation/v1": _record(
        "Why an agent is in its state.",
        {
            "name": _text("the agent"),
            "summary": _text("one sentence"),
            "sentences": _names("the facts, as sentences"),
            "next": _text("what will happen next"),
            "facts": _map("the facts, for programs"),
        },
    ),
    "opmas.package-list/v1": _record("Packages.", {"packages": _list("by name", PACKAGE)}),
    "opmas.package/v1": PACKAGE,
    "opmas.package-scan/v1": _record(
        "What a scan found that was not known before.",
        {
            "added": _names("new packages"),
            "changed": _names("packages of another version"),
            "removed": _names("packages that are gone"),
            "refused": _list(
                "packages that are not valid",
                _record("one", {"path": _text("its agent.yaml"), "problems": PROBLEMS}),
            ),
        },
    ),
    "opmas.event-list/v1": _record(
        "Events.",
        {
            "events": _list("the oldest first", EVENT),
            "last": _number("where to go on: `opmas events --after N`"),
        },
    ),
    "opmas.token-created/v1": _record(
        "A new token.", {**TOKEN, "token": _text("the token itself, shown this once")}
    ),
    "opmas.token-list/v1": _record(
        "Tokens.", {"tokens": _list("by name", _record("one token", TOKEN))}
    ),
    "opmas.token/v1": _record("A token that was revoked.", TOKEN),
    "opmas.doctor/v1": _record(
        "What the checks of a host found.",
        {
            "state": _one_of("the worst of the checks", "ok", "warning", "failed"),
            "checks": _list("in the order in which they were made", CHECK),
        },
    ),
    "opmas.version/v1": _record(
        "Versions.",
        {
            "opmas": _text("this command's"),
            "manager": _or_null(_text("the running manager's; null when it does not answer")),
            "systemd": _or_null(_text("the host's systemd")),
            "python": _text("the Python that runs this command"),
        },
    ),
    "opmas.error/v1": _record(
        "An error, on standard error.",
        {**ERROR["properties"], "exit_code": _number("the exit code of the command")},
    ),
}


def whole(name: str) -> Schema:
    """Return the JSON Schema of a document, with the member that names it."""
    schema = SCHEMAS[name]
    named = {"schema": {"const": name, "description": "this schema's name"}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": name,
        **schema,
        "properties": {**named, **schema["properties"]},
        "required": ["schema", *schema["required"]],
    }


def event() -> Schema:
    """Return the JSON Schema of one line of `events --follow --json`."""
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "event", **EVENT}
