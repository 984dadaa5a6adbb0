"""agent.yaml: what an agent package is and what it asks for. agent.yaml(5) is its reference.

`parse_manifest` reads the whole document and names all its faults at once. It checks what can be
known from the document alone; that the defaults satisfy the schema is checked where JSON
Schema is at hand (opmas.packages.schema).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, cast

from opmas.core import fields
from opmas.core.agent import NAME, Limits
from opmas.core.capability import CAPABILITIES
from opmas.core.fields import FieldError, Fields, Problems, shown
from opmas.core.limits import read_limits
from opmas.core.unitsyntax import UNMOUNTABLE

API: Final = "opmas.agent/v1"


class Runtime(StrEnum):
    """How an agent's code is run."""

    PYTHON = "python"
    EXEC = "exec"


class Service(StrEnum):
    """When an exec agent counts as running: systemd's Type=."""

    EXEC = "exec"
    NOTIFY = "notify"


class Network(StrEnum):
    """What an agent sees of the network."""

    NONE = "none"
    OBSERVE = "observe"
    LOOPBACK = "loopback"
    FULL = "full"


class Proc(StrEnum):
    """What an agent sees in /proc beyond its own processes."""

    OWN = "own"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a package asks to have opened; nothing by default."""

    network: Network = Network.NONE
    proc: Proc = Proc.OWN
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    bus: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for the start, the stop and between two signs of life; watchdog 0 is off."""

    start: int = 30
    stop: int = 15
    watchdog: int = 10


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How an exec agent is probed: exactly one of `command`, `http` and `tcp` is set."""

    command: tuple[str, ...] = ()
    http: str = ""
    tcp: str = ""
    period: int = 30
    timeout: int = 5
    failures: int = 3


@dataclass(frozen=True, slots=True)
class EventTypes:
    """The types of events that the package's agents emit and want to be told of."""

    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of an agent.yaml. `schema` and `defaults` are of the agents' config."""

    name: str
    version: str
    summary: str
    runtime: Runtime
    entry: str = ""
    command: tuple[str, ...] = ()
    service: Service = Service.NOTIFY
    schema: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    sandbox: Sandbox = Sandbox()
    limits: Limits = field(default=Limits())
    timeouts: Timeouts = Timeouts()
    after: tuple[str, ...] = ()
    health_check: HealthCheck | None = None
    events: EventTypes = EventTypes()
    license: str = ""


def parse_manifest(document: object, *, where: str) -> Manifest:
    """Return the manifest, or raise `InvalidError` with every fault as `path: reason`.

    `where` is the name of the file, for the message.
    """
    problems = Problems()
    top = Fields(document, "", problems)
    manifest = _read(top)
    _check_together(manifest, problems)
    top.finish()
    problems.check(f"read {where}")
    return manifest


_NAME: Final = fields.matching(
    NAME, 'must be 1 to 63 lower-case letters, digits and inner hyphens, like "web-2"'
)
_NAMES: Final = fields.each(_NAME)
_API: Final = fields.matching(re.compile(re.escape(API)), f'must be "{API}"')
# PEP 440, appendix B, in its normal and its tolerated spellings.
_VERSION: Final = fields.matching(
    re.compile(
        r"v?(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*"
        r"(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?[0-9]*)?"
        r"(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?"
        r"(?:[-_.]?dev[-_.]?[0-9]*)?"
        r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
        re.IGNORECASE | re.ASCII,
    ),
    "must be a version as in PEP 440, like 1.2.0",
)
_WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_ENTRY: Final = fields.matching(
    re.compile(rf"{_WORD}(?:\.{_WORD})*:{_WORD}"), "must be module:Class, like hostwatch:HostWatch"
)
# What an agent may emit: the SDK refuses the same (opmas.agent, which imports nothing of this).
EVENT_TYPE: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+){0,7}")
_EVENT_TYPES: Final = fields.each(
    fields.matching(EVENT_TYPE, "must be dotted lower-case words, like threshold.crossed")
)
# The form of useradd(8).
_GROUPS: Final = fields.each(
    fields.matching(re.compile(r"[a-z_][a-z0-9_-]{0,30}"), "must be the name of a group")
)
_HTTP: Final = fields.matching(
    re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[!-~]*)?", re.I),
    "must be a URL like http://127.0.0.1:9100/healthz",
)
_TCP: Final = fields.matching(
    re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\]):[0-9]{1,5}", re.I),
    "must be an address like 127.0.0.1:9100",
)


def _read(top: Fields) -> Manifest:
    top.need("api", _API, API)
    runtime = top.need("runtime", fields.one_of(Runtime), Runtime.PYTHON)
    python = runtime is Runtime.PYTHON
    service = _service(top, runtime)
    config = top.section("config")
    manifest = Manifest(
        name=top.need("name", _NAME, ""),
        version=top.need("version", _VERSION, ""),
        summary=top.need("summary", fields.line, ""),
        runtime=runtime,
        entry=top.need("entry", _ENTRY, "") if python else "",
        command=() if python else top.need("command", _command, ()),
        service=service,
        schema=config.get("schema", _json_mapping, {}),
        defaults=config.get("defaults", _json_mapping, {}),
        sandbox=_sandbox(top.section("sandbox")),
        limits=read_limits(top.section("limits")),
        timeouts=_timeouts(top.section("timeouts"), runtime, service),
        after=top.get("after", _NAMES, ()),
        health_check=None if python else _health_check(top),
        events=_event_types(top.section("events")),
        license=top.get("license", fields.line, ""),
    )
    config.finish()
    if python:
        for key in ("command", "service", "health_check"):
            top.refuse(key, "has no meaning with runtime: python; it is for runtime: exec")
    else:
        top.refuse("entry", "has no meaning with runtime: exec; it is for runtime: python")
    return manifest


def _service(top: Fields, runtime: Runtime) -> Service:
    if runtime is Runtime.PYTHON:
        return Service.NOTIFY
    return top.get("service", fields.one_of(Service), Service.EXEC)


def _command(value: object) -> tuple[str, ...]:
    words = fields.each(fields.argument)(value)
    if not words:
        raise FieldError(("", "must not be empty: its first item is the program"))
    program = words[0]
    if program.startswith("./"):
        program = f"/{program[2:]}"
    try:
        fields.absolute_path(program)
    except FieldError as error:
        must = "must be an absolute path, or one below the package like ./bin/agent"
        raise FieldError(("[0]", f"{must}, not {shown(words[0])}")) from error
    if program == "/" or "$" in program:  # systemd would take $ for a variable in argv[0]
        raise FieldError(
            ("[0]", f"must be the path of a program, without $, not {shown(program)}")
        )
    return words


def _json_mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldError(("", f"must be a mapping of keys to values, not {shown(value)}"))
    return cast("dict[str, Any]", fields.json_value(value))


def _sandbox(section: Fields) -> Sandbox:
    sandbox = Sandbox(
        network=section.get("network", fields.one_of(Network), Network.NONE),
        proc=section.get("proc", fields.one_of(Proc), Proc.OWN),
        read=section.get("read", fields.each(_sandbox_path), ()),
        write=section.get("write", fields.each(_sandbox_path), ()),
        capabilities=section.get("capabilities", fields.each(_capability), ()),
        groups=section.get("groups", _GROUPS, ()),
        bus=section.get("bus", fields.flag, default=False),
    )
    section.finish()
    return sandbox


def _sandbox_path(value: object) -> str:
    path = fields.absolute_path(value)
    top = path.split("/")[1]
    if top in {"", "proc", "sys", "dev"}:
        raise FieldError(("", f"cannot be opened: name a path that is not in /{top}"))
    if set(path) & set(UNMOUNTABLE):
        raise FieldError(("", f"must be a path without quotes, : and \\, not {shown(value)}"))
    return path


def _capability(value: object) -> str:
    if isinstance(value, str) and value in CAPABILITIES:
        return value
    hint = fields.nearest(value.upper(), CAPABILITIES) if isinstance(value, str) else ""
    raise FieldError(("", f"must be a capability like CAP_NET_RAW, not {shown(value)}{hint}"))


def _timeouts(section: Fields, runtime: Runtime, service: Service) -> Timeouts:
    hour = 3600
    python = runtime is Runtime.PYTHON
    timeouts = Timeouts(
        start=section.get("start", fields.integer(1, hour), 30),
        stop=section.get("stop", fields.integer(1, hour), 15),
        # the SDK feeds the watchdog; of another program nobody knows unless it says so
        watchdog=section.get("watchdog", fields.integer(int(python), hour), 10 if python else 0),
    )
    if timeouts.watchdog and service is not Service.NOTIFY:
        section.refuse("watchdog", "needs service: notify: the program must send WATCHDOG=1")
    section.finish()
    return timeouts


def _health_check(top: Fields) -> HealthCheck | None:
    if not top.has("health_check"):
        return None
    section = top.section("health_check")
    check = HealthCheck(
        command=section.get("command", _command, ()),
        http=section.get("http", _HTTP, ""),
        tcp=section.get("tcp", _TCP, ""),
        period=section.get("period", fields.integer(1, 86_400), 30),
        timeout=section.get("timeout", fields.integer(1, 300), 5),
        failures=section.get("failures", fields.integer(1, 100), 3),
    )
    if sum(section.has(kind) for kind in ("command", "http", "tcp")) != 1:
        section.problems.add(section.path, "must have exactly one of command, http and tcp")
    section.finish()
    return check


def _check_together(manifest: Manifest, problems: Problems) -> None:
    """Name what only two keys together make wrong."""
    check = manifest.health_check
    if check is None:
        return
    if check.timeout > check.period:
        problems.add("health_check.timeout", f"must not be above period ({check.period})")
    reaches = manifest.sandbox.network in {Network.LOOPBACK, Network.FULL}
    if (check.http or check.tcp) and not reaches:
        key = "http" if check.http else "tcp"
        problems.add(f"health_check.{key}", "needs sandbox.network: loopback or full")


def _event_types(section: Fields) -> EventTypes:
    types = EventTypes(
        publishes=section.get("publishes", _EVENT_TYPES, ()),
        subscribes=section.get("subscribes", _EVENT_TYPES, ()),
    )
    section.finish()
    return types
