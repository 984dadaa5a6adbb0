"""The JSON Schema of agent.yaml, and the page that tells it: for editors and for authors.

The parser (opmas.core.package.manifest) decides; tests/property/test_manifest_schema.py holds
the schema against it. Draft 7, which every editor knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from docs import agent_keys as keys
from opmas.core.package.manifest import Network, Runtime
from opmas.core.package.metadata import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Schema = dict[str, Any]

INSTALLED: Final = "/usr/share/opmas/agent.schema.json"
# Rules that no JSON Schema can say: by path, what the parser says in words.
BEYOND: Final = (
    (r"limits\.memory_high", "must not be above memory_max"),
    (r"limits\.\w+", "must be a (size|share|whole number)"),
    (r"health_check\.timeout", "must not be above period"),
    (r"recovery\.max_delay", "must not be below first_delay"),
    (r"wants\[\d+\]", "is in requires too"),
    (r"conflicts\[\d+\]", "must not be the package itself"),
    (r"metrics\[\d+\]\.name", "is there twice"),
    (r"config\.schema\..*secret", "needs type: string|must be true or false"),
)
NEEDED: Final = ("api", "name", "version", "summary", "runtime")
# The sections with their keys, in the order of the page.
SECTIONS: Final = {
    "config": (keys.CONFIG, "Its agents' configuration."),
    "sandbox": (keys.SANDBOX, "What it asks to have opened; an admin grants it."),
    "limits": (keys.LIMITS, "How much of the host an agent may use; an admin may set others."),
    "timeouts": (keys.TIMEOUTS, "How long things may take."),
    "recovery": (keys.RECOVERY, "What is done when it fails; an admin may set other values."),
    "health_check": (keys.HEALTH, "How a program is probed. Exec alone."),
    "hooks": (keys.HOOKS, "Commands, or functions of a Python package, that are run at a turn."),
    "events": (keys.EVENTS, "The events of its agents."),
    "metrics": (keys.METRIC, "The numbers that its agents export, a list."),
    "links": (keys.LINKS, "Where to read on."),
}
VALUE_LENGTH: Final = 100  # of a cell
_NULL: Final[Schema] = {"type": "null"}
_THERE: Final[Schema] = {"not": _NULL}


def agent_schema() -> Schema:
    """Return the JSON Schema of agent.yaml."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "agent.yaml of OPMAS",
        "description": "What an agent package is and what it asks for; see agent.yaml(5).",
        **_mapping({**keys.PLAIN, **dict(_sections())}, NEEDED),
        "allOf": [
            _if(_runtime(Runtime.PYTHON), _python()),
            _if(_runtime(Runtime.EXEC), _exec()),
            _if(_watched_program(), {**_needs("service"), **_with(service={"const": "notify"})}),
            _if(_probed(), _reaching()),
        ],
    }


def schema_text() -> str:
    """Return the schema as it is published."""
    return json.dumps(agent_schema(), indent=2, ensure_ascii=False) + "\n"


def _sections() -> Iterator[tuple[str, Schema]]:
    for name, (members, description) in SECTIONS.items():
        if name == "metrics":
            metric = _mapping(members, ("name", "type", "help"))
            schema = keys.each(metric, METRICS)
        else:
            schema = _mapping(members)
        if name == "health_check":
            kinds = [{**_needs(k), **_with(**{k: _THERE})} for k in ("command", "http", "tcp")]
            schema |= _if({"type": "object"}, {"oneOf": kinds})
        yield name, {"description": description, **schema}


def _mapping(members: Mapping[str, Schema], needed: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": list(needed)} if needed else {}),
        "properties": {
            name: schema if name in needed else _or_nothing(schema)
            for name, schema in members.items()
        },
    }


def _or_nothing(schema: Schema) -> Schema:
    """Return the schema for a key whose value may be left out behind the colon."""
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "anyOf": [*schema["anyOf"], _NULL]}


def _python() -> Schema:
    hidden = dict.fromkeys(("command", "service", "health_check"), _NULL)
    watchdog = {"properties": {"watchdog": {"minimum": 1}}}
    return {**_needs("entry"), **_with(entry=_THERE, timeouts=watchdog, **hidden)}


def _exec() -> Schema:
    hidden = dict.fromkeys(("entry", "requires_python", "requirements"), _NULL)
    hooks = {"properties": {name: {"not": {"type": "string"}} for name in keys.HOOKS}}
    return {**_needs("command"), **_with(command=_THERE, hooks=hooks, **hidden)}


def _watched_program() -> Schema:
    watched = {"type": "object", **_needs("watchdog"), **_with(watchdog={"minimum": 1, **_THERE})}
    runtime = {"const": str(Runtime.EXEC)}
    return {**_needs("runtime", "timeouts"), **_with(runtime=runtime, timeouts=watched)}


def _probed() -> Schema:
    checks = [{**_needs(kind), **_with(**{kind: _THERE})} for kind in ("http", "tcp")]
    return {
        **_needs("health_check"),
        **_with(health_check={"type": "object", "anyOf": checks}),
    }


def _reaching() -> Schema:
    network = {"enum": [str(Network.LOOPBACK), str(Network.FULL)]}
    return {
        **_needs("sandbox"),
        **_with(sandbox={"type": "object", **_needs("network"), **_with(network=network)}),
    }


def _runtime(runtime: Runtime) -> Schema:
    return {**_needs("runtime"), **_with(runtime={"const": str(runtime)})}


def _if(condition: Schema, then: Schema) -> Schema:
    return {"if": condition, "then": then}


def _needs(*names: str) -> Schema:
    return {"required": list(names)}


def _with(**members: Schema) -> Schema:
    return {"properties": members}


def keys_table() -> str:
    """Return the keys that stand for themselves, as a table."""
    return _table("", keys.PLAIN, NEEDED)


def sections_text() -> str:
    """Return the sections, each with its keys as a table."""
    parts = []
    for name, (members, description) in SECTIONS.items():
        needed = ("name", "type", "help") if name == "metrics" else ()
        prefix = "metrics[]." if name == "metrics" else f"{name}."
        parts.append(f"## {name}\n\n{description}\n\n{_table(prefix, members, needed)}")
    return "\n\n".join(parts)


def _table(prefix: str, members: Mapping[str, Schema], needed: tuple[str, ...]) -> str:
    rows = ["| Key | Value | Default | What it is |", "| --- | --- | --- | --- |"]
    for name, schema in members.items():
        default = "must be there" if name in needed else _default(schema)
        cells = (f"`{prefix}{name}`", _value(schema), default, schema["description"])
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if default is None or default == {}:
        return ""
    return f"`{json.dumps(default).strip(chr(34))}`"


def _value(schema: Schema) -> str:
    for keyword, tell in _BY_KEYWORD.items():
        if keyword in schema:
            return tell(schema)
    return _BY_TYPE[schema["type"]](schema)


def _word_list(schema: Schema) -> str:
    named = schema["enum"]
    several = ", ".join(f"`{word}`" for word in named)
    return several if len(several) < VALUE_LENGTH else f"`{named[0]}`, …"


def _list(schema: Schema) -> str:
    items = schema["items"]
    if isinstance(items, list):
        return "a list: program, arguments"
    return f"a list of {_value(items)}"


_BY_KEYWORD: Final[dict[str, Callable[[Schema], str]]] = {
    "const": lambda schema: f"`{schema['const']}`",
    "enum": _word_list,
    "anyOf": lambda schema: " or ".join(_value(each) for each in schema["anyOf"]),
}
_BY_TYPE: Final[dict[str, Callable[[Schema], str]]] = {
    "array": _list,
    "boolean": lambda _: "`true`, `false`",
    "integer": lambda schema: f"{schema['minimum']} to {schema['maximum']}",
    "object": lambda _: "a mapping",
    "string": lambda schema: f"text like `{schema['examples'][0]}`",
}
