"""The keys of agent.yaml: what each may be, its default, and what it is for.

One table, in JSON Schema. docs/agent_schema.py makes the published schema and the reference page
of it. Patterns are the parser's own; what the parser does besides is in `BEYOND` there.
"""

from __future__ import annotations

from typing import Any, Final

from opmas.core.agent.terms import NAME
from opmas.core.documents.fields import ARGUMENT_LENGTH, LINE_LENGTH, PATH_LENGTH
from opmas.core.package import metadata, program, requirement, sandbox
from opmas.core.package.capability import CAPABILITIES
from opmas.core.package.manifest import API, HTTP, REQUIREMENTS, TCP, Runtime, Service
from opmas.core.recovery import policy

Schema = dict[str, Any]

_HOUR: Final = 3600
_PRINTABLE: Final = r"[^\x00-\x1f\x7f]"
_SEGMENT: Final = r"/(?!\.{1,2}(?:/|$))"  # no "." and no ".."


def text(pattern: str, *examples: str, **more: Any) -> Schema:
    """Return the schema of text that matches the whole pattern."""
    return {"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples), **more}


def line(*examples: str) -> Schema:
    """Return the schema of one line for people."""
    return text(rf"(?=.*\S){_PRINTABLE}*", *examples, maxLength=LINE_LENGTH)


def each(items: Schema | list[Schema], most: int = 64, **more: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "maxItems": most, **more}


def whole(minimum: int, maximum: int, default: int | None = None) -> Schema:
    """Return the schema of a whole number."""
    found = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return found if default is None else {**found, "default": default}


def words(kind: Any, **more: Any) -> Schema:
    """Return the schema of one word of a closed list."""
    return {"enum": [str(word) for word in kind], **more}


def said(schema: Schema, description: str, **more: Any) -> Schema:
    """Return the schema with what the key is for."""
    return {"description": description, **schema, **more}


def amount(pattern: str, whole_number: Schema, *examples: str) -> Schema:
    """Return the schema of a number, or of text with its unit."""
    return {"anyOf": [whole_number, text(pattern, *examples)]}


_name: Final = text(NAME.pattern, "web-2", "db")
_names: Final = each(_name)
_specifier: Final = text(
    requirement.SPECIFIER.pattern, ">=3.11", ">=1.2,<2", maxLength=requirement.LENGTH
)
_event_types: Final = each(text(metadata.EVENT_TYPE.pattern, "threshold.crossed"))
_url: Final = text(metadata.URL.pattern, "https://example.org/weblog")
_path: Final = text(
    rf"(?!/(?:{'|'.join(sandbox.NEVER_OPENED)})(?:/|$))(?:{_SEGMENT}[^/\"':\\\x00-\x1f\x7f]+)+",
    "/srv/www",
    maxLength=PATH_LENGTH,
)
_program: Final = text(
    rf"\.?(?:{_SEGMENT}[^/$\x00-\x1f\x7f]+)+", "/usr/bin/x", "./bin/x", maxLength=PATH_LENGTH
)
_argument: Final = {
    "type": "string",
    "pattern": f"^{_PRINTABLE}*$",
    "maxLength": ARGUMENT_LENGTH,
    "examples": ["--verbose", ""],
}
_command: Final = each([_program], minItems=1, additionalItems=_argument)
_hook: Final = {"anyOf": [text(program.ENTRY.pattern, "weblog:migrate"), _command]}

SANDBOX: Final = {
    "network": said(
        words(sandbox.Network, default="none"),
        "What it sees of the network: `none`; `observe`: the host's interfaces and their"
        " counters; `loopback`: programs on this host; `full`: any host.",
    ),
    "proc": said(
        words(sandbox.Proc, default="own"),
        "What it sees in `/proc`: its `own` processes, or figures of the whole `host`.",
    ),
    "bus": said({"type": "boolean", "default": False}, "Whether it talks to the system D-Bus."),
    "read": said(each(_path), "Paths that are hidden otherwise, such as below `/home`."),
    "write": said(each(_path), "Paths below which it writes besides its own directories."),
    "capabilities": said(
        each({"enum": sorted(CAPABILITIES)}), "Capabilities as in capabilities(7)."
    ),
    "groups": said(
        each(text(sandbox.GROUP.pattern, "adm", "systemd-journal")), "Groups whose rights it has."
    ),
}
_size: Final = amount(
    r"[0-9]{1,15}(?:[KMGTkmgt](?:[iI]?[bB])?)?", whole(1 << 20, 1 << 50), "64M", "1G"
)
LIMITS: Final = {
    "memory_max": said(
        _size,
        "The most memory; beyond it the agent is killed and started again.",
        default="256M",
    ),
    "memory_high": said(
        _size, "From here on it is slowed down; three quarters of `memory_max` if it says nothing."
    ),
    "tasks_max": said(
        amount(r"[0-9]{1,15}", whole(1, 4_194_304), "64"),
        "The most processes and threads.",
        default=64,
    ),
    "cpu_quota": said(
        amount(r"[0-9]{1,15}%?", whole(1, 100_000), "20%"),
        "The most CPU time, of one CPU.",
        default="100%",
    ),
    "cpu_weight": said(
        amount(r"[0-9]{1,15}", whole(1, 10_000), "50"),
        "Its share where CPU time is scarce.",
        default=50,
    ),
    "io_weight": said(
        amount(r"[0-9]{1,15}", whole(1, 10_000), "50"),
        "Its share where disks are busy.",
        default=50,
    ),
}
RECOVERY: Final = {
    "first_delay": said(
        whole(1, _HOUR, 10),
        "Seconds before it is tried again after systemd gave it up; twice as many each time.",
    ),
    "max_delay": said(whole(1, 24 * _HOUR, 300), "The most seconds between two such tries."),
    "jitter": said(
        whole(0, 90, 20), "By how many percent these differ, so that agents do not start together."
    ),
    "max_failures": said(
        whole(0, 1000, 5), "How often in a row it may fail; beyond that it is quarantined."
    ),
    "reset_after": said(
        whole(1, policy.WEEK, 600),
        "Seconds of health without a break after which its failures are forgotten.",
    ),
    "undo": said(
        {"type": "boolean", "default": True},
        "Whether its last change is undone when that is likely the cause.",
    ),
    "undo_within": said(
        whole(0, policy.WEEK, 3600), "Seconds for which a change can be the cause."
    ),
    "undo_after": said(whole(1, 1000, 2), "How often in a row it fails before that."),
    "restart_dependency": said(
        {"type": "boolean", "default": True},
        "Whether an agent that it requires is restarted when it runs and does not work.",
    ),
    "slow_probe": said(
        whole(0, policy.WEEK, 0),
        "Seconds after which it is tried once when it is quarantined; 0 is never.",
    ),
    "give_up_on": said(
        each(whole(1, 255), policy.MOST_STATUSES, default=[78]),
        "Exit statuses that say that another try cannot help.",
    ),
}
TIMEOUTS: Final = {
    "start": said(
        whole(1, _HOUR, 30), "Seconds that it may take to be ready; the hook `check` has as many."
    ),
    "stop": said(
        whole(1, _HOUR, 15),
        "Seconds that it may take to stop before it is killed; the hook `pre_stop` has as many.",
    ),
    "watchdog": said(
        whole(0, _HOUR),
        "Seconds between two signs of life before it is killed and started again. 10 with"
        " python; with exec 0, which is off, and more needs `service: notify`.",
    ),
    "migrate": said(whole(1, _HOUR, 300), "Seconds that the hook `migrate` may take."),
}
HEALTH: Final = {
    "command": said(_command, "A program in the agent's sandbox; exit code 0 is healthy."),
    "http": said(
        text(HTTP.pattern, "http://127.0.0.1:9100/"),
        "A URL; a status below 400 is healthy. Needs `sandbox.network` loopback or full.",
    ),
    "tcp": said(
        text(TCP.pattern, "127.0.0.1:9100"),
        "An address; a connection that is accepted is healthy. Needs the same.",
    ),
    "period": said(whole(1, 86_400, 30), "Seconds between two checks."),
    "timeout": said(whole(1, 300, 5), "Seconds that one may take, at most `period`."),
    "failures": said(
        whole(1, 100, 3), "How many failures in a row make the agent unhealthy; fewer: degraded."
    ),
    "successes": said(
        whole(1, 100, 1), "How many successes in a row make an unhealthy agent healthy again."
    ),
    "start_delay": said(
        whole(0, _HOUR, 0),
        "Seconds from its start to the first check. Until a check has succeeded the agent is not"
        " ready, and until one has a result its health is unknown.",
    ),
    "liveness": said(
        {"type": "boolean", "default": False},
        "Whether an agent that failed `failures` checks in a row is started again, as one that"
        " hangs is.",
    ),
}
HOOKS: Final = {
    "check": said(
        _hook, "Run before each start; the agent is started only when it ends with exit code 0."
    ),
    "migrate": said(
        _hook,
        "Run between two versions, while the agent is stopped, to bring its data to the new"
        " one. Knows both from `$OPMAS_FROM_VERSION` and `$OPMAS_TO_VERSION`. When it fails, the"
        " data is as before, and the old version runs on.",
    ),
    "pre_stop": said(
        _hook, "Run before the agent is told to stop; its exit code changes nothing."
    ),
}
EVENTS: Final = {
    "publishes": said(_event_types, "The types of events that its agents emit."),
    "subscribes": said(_event_types, "The types of events that its agents are told of."),
}
METRIC: Final = {
    "name": said(
        text(metadata.METRIC_NAME.pattern, "requests_total"), "Its name, as in Prometheus."
    ),
    "type": said(words(metadata.MetricType), "What kind of number it is."),
    "unit": said(text(metadata.UNIT.pattern, "seconds"), "Its base unit."),
    "help": said(line("requests answered"), "What it counts, in one line."),
}
LINKS: Final = {
    "homepage": said(_url, "Where the package is presented."),
    "documentation": said(_url, "Where it is explained."),
    "source": said(_url, "Where its source is."),
    "issues": said(_url, "Where faults are reported."),
}
CONFIG: Final = {
    "schema": said(
        {"type": "object", "default": {}},
        "A JSON Schema (draft 2020-12 or 7) of the agents' configuration; it refers to nothing"
        " but itself. `secret: true` beside `type: string` keeps a value from being shown.",
    ),
    "defaults": said(
        {"type": "object", "default": {}},
        "The configuration of an agent that sets nothing; an agent's own is laid over it key by"
        " key. It must satisfy the schema.",
    ),
}
PLAIN: Final = {
    "api": said({"const": API}, "The version of this format."),
    "name": said(_name, "The package's name, and that of its directory."),
    "version": said(
        text(requirement.VERSION.pattern, "1.2.0", "2.0rc1"), "A version as in PEP 440."
    ),
    "summary": said(line("counts the errors in the web server's log"), "What it does, in a line."),
    "license": said(line("MIT"), "An SPDX identifier."),
    "opmas": said(_specifier, "The versions of OPMAS that it works with."),
    "runtime": said(
        words(Runtime), "How it runs: `python` is a class on the SDK, `exec` a program."
    ),
    "entry": said(
        text(program.ENTRY.pattern, "weblog:WebLog"),
        "The class, as module:Class; the module is in the package's directory. Python alone.",
    ),
    "command": said(
        _command,
        "The program and its arguments, which reach it as they are written. The program is an"
        " absolute path, or one below the package's directory. Exec alone.",
    ),
    "service": said(
        words(Service, default="exec"),
        "When it counts as running: `exec`, when the program was executed; `notify`, when it"
        " says so with sd_notify(3). Exec alone.",
    ),
    "requires_python": said(_specifier, "The versions of Python that it runs on. Python alone."),
    "requirements": said(
        each(
            text(
                requirement.REQUIREMENT.pattern,
                "requests>=2.28",
                "tomli; python_version < '3.11'",
                maxLength=requirement.LENGTH,
            ),
            REQUIREMENTS,
        ),
        "The libraries that it needs, as in PEP 508; a bundle carries them. Python alone.",
    ),
    "architectures": said(
        each({"enum": list(metadata.ARCHITECTURES)}),
        "Debian's names of the architectures that it runs on; all when it says nothing.",
    ),
    "requires": said(
        {**_names, "uniqueItems": True},
        "Agents without which it cannot run: it starts after them, and is stopped when one of"
        " them stops or fails.",
    ),
    "wants": said(
        {**_names, "uniqueItems": True},
        "Agents that it works with: it starts after them, and runs without them too.",
    ),
    "after": said(_names, "Agents after which it starts, when they start at all."),
    "conflicts": said(
        {**_names, "uniqueItems": True},
        "Packages of which no agent may be there beside one of this package.",
    ),
}
