"""The JSON Schemas of what `--json` prints; docs/reference/json.md is made from them.

A schema's name ends in its version. Within a version members are only added, never removed or
given another meaning, so a reader must ignore members that it does not know. Every member named
here is always there; what is unknown is null.
"""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.agents import AGENT, DECISION, PLAN, RESULT
from opmas.cli.schemas.changes import CHANGE
from opmas.cli.schemas.history import AGENT_HISTORY
from opmas.cli.schemas.host import ALERT, CHECK, DROPPED, EVENT, HOST, TOKEN
from opmas.cli.schemas.limits import AGENT_LIMITS
from opmas.cli.schemas.packages import BUNDLE, KEY, PACKAGE
from opmas.cli.schemas.terms import (
    ERROR,
    PROBLEMS,
    Schema,
    amount,
    flag,
    list_of,
    map_of,
    names,
    number,
    one_of,
    or_null,
    record,
    text,
)

SCHEMAS: Final[dict[str, Schema]] = {
    "opmas.status/v1": record(
        "The host at a glance.",
        {
            "state": one_of("`attention` with exit code 1", "ok", "attention"),
            "attention": names("agents that need attention"),
            "host": HOST,
            "agents": list_of("all agents, by name", AGENT),
        },
    ),
    "opmas.agent-list/v1": record("Agents.", {"agents": list_of("by name", AGENT)}),
    "opmas.agent/v1": AGENT,
    "opmas.agent-plan/v1": PLAN,
    "opmas.agent-history/v1": AGENT_HISTORY,
    "opmas.agent-limits/v1": record(
        "Limits of agents.", {"agents": list_of("by name", AGENT_LIMITS)}
    ),
    "opmas.agent-results/v1": record(
        "What came of a command for several agents.",
        {"results": list_of("one for each name, in their order", RESULT)},
    ),
    "opmas.explanation/v1": record(
        "Why an agent is in its state.",
        {
            "name": text("the agent"),
            "summary": text("one sentence"),
            "sentences": names("the facts, as sentences"),
            "next": text("what will happen next"),
            "ladder": names("where it is on the ladder of recovery, as sentences"),
            "decisions": list_of("what was decided when it failed, the newest first", DECISION),
            "facts": map_of("the facts, for programs"),
            "changes": list_of("its last changes, the newest first", CHANGE),
        },
    ),
    "opmas.alert-list/v1": record(
        "The alerts that are up.", {"alerts": list_of("what matters most first", ALERT)}
    ),
    "opmas.package-list/v1": record("Packages.", {"packages": list_of("by name", PACKAGE)}),
    "opmas.package/v1": PACKAGE,
    "opmas.package-created/v1": record(
        "A new package of an author.",
        {
            "name": text("the package"),
            "runtime": one_of("how it runs", "python", "exec"),
            "directory": text("its directory"),
            "files": names("its files, below the directory"),
            "next": names("commands to go on with"),
        },
    ),
    "opmas.package-scan/v1": record(
        "What a scan found that was not known before.",
        {
            "added": names("new packages"),
            "changed": names("packages of another version"),
            "removed": names("packages that are gone"),
            "refused": list_of(
                "packages that are not valid",
                record("one", {"path": text("its agent.yaml"), "problems": PROBLEMS}),
            ),
        },
    ),
    "opmas.change/v1": CHANGE,
    "opmas.change-list/v1": record(
        "Changes.", {"changes": list_of("the newest first, or as they are made", CHANGE)}
    ),
    "opmas.bundle-check/v1": record(
        "Whether a bundle can be built from a directory.",
        {
            "directory": text("the directory"),
            "ok": flag("whether nothing is wrong with it"),
            "problems": PROBLEMS,
        },
    ),
    "opmas.bundle-file/v1": record(
        "A file that was built.",
        {
            "path": text("the file"),
            "bytes": number("its size"),
            "sha256": text("the SHA-256 of its content"),
            "key": or_null(text("the id of the key that signed it; null when it is unsigned")),
        },
    ),
    "opmas.bundle/v1": BUNDLE,
    "opmas.key-created/v1": record(
        "A new key.",
        {
            "id": text("its id, as minisign prints it"),
            "secret_key": text("the file of the secret key"),
            "public_key": text("the file of the public key"),
            "encrypted": flag("whether the secret key needs a password"),
        },
    ),
    "opmas.key-list/v1": record(
        "The keys that this host trusts.", {"keys": list_of("by name", record("one key", KEY))}
    ),
    "opmas.key/v1": record("A key.", KEY),
    "opmas.event-list/v1": record(
        "Events.",
        {
            "events": list_of("the oldest first", EVENT),
            "last": number("where to go on: the next `after`"),
            "dropped": list_of(
                "with `after`, when there are any: which events after it are gone",
                DROPPED,
            ),
        },
        optional=("dropped",),
    ),
    "opmas.token-created/v1": record(
        "A new token.", {**TOKEN, "token": text("the token itself, shown this once")}
    ),
    "opmas.token-list/v1": record(
        "Tokens.", {"tokens": list_of("by name", record("one token", TOKEN))}
    ),
    "opmas.token/v1": record("A token that was revoked.", TOKEN),
    "opmas.doctor/v1": record(
        "What the checks of a host found.",
        {
            "state": one_of("the worst of the checks", "ok", "warning", "failed"),
            "checks": list_of("in the order in which they were made", CHECK),
        },
    ),
    "opmas.diagnosis/v1": record(
        "An archive that was made.",
        {
            "path": text("its file"),
            "bytes": number("its size"),
            "sha256": text("the SHA-256 of its content"),
            "seconds": amount("how long it took"),
            "files": names("the files in it"),
            "problems": names("what could not be had, as in problems.txt"),
            "differences": number("agents that are not as they should be"),
            "secrets": number("secret values that were looked for in all files"),
        },
    ),
    "opmas.version/v1": record(
        "Versions.",
        {
            "opmas": text("this command's"),
            "manager": or_null(text("the running manager's; null when it does not answer")),
            "systemd": or_null(text("the host's systemd")),
            "python": text("the Python that runs this command"),
        },
    ),
    "opmas.error/v1": record(
        "An error, on standard error.",
        {**ERROR["properties"], "exit_code": number("the exit code of the command")},
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
