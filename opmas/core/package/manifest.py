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

from opmas.core.agent.terms import Limits
from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems, shown
from opmas.core.documents.secret import secret_problems
from opmas.core.health.vitals import Traits
from opmas.core.package import metadata
from opmas.core.package.metadata import (
    EVENT_TYPE,
    METRICS,
    EventTypes,
    Links,
    Metric,
    MetricType,
    read_event_types,
    read_links,
    read_metrics,
)
from opmas.core.package.program import ENTRY, Hooks, command, read_hooks
from opmas.core.package.requirement import requirement, specifier, version
from opmas.core.package.sandbox import Network, Proc, Sandbox, read_sandbox
from opmas.core.recovery.policy import NO_RECOVERY, Recovery, read_recovery
from opmas.core.resources.limits import read_limits

__all__ = [
    "API", "EVENT_TYPE", "EventTypes", "HealthCheck", "Hooks", "Links", "Manifest", "Metric",
    "MetricType", "Network", "Proc", "Runtime", "Sandbox", "Service", "Timeouts", "parse_manifest",
]  # fmt: skip

API: Final = "opmas.agent/v1"
REQUIREMENTS: Final = 128  # of one package


class Runtime(StrEnum):
    """How an agent's code is run."""

    PYTHON = "python"
    EXEC = "exec"


class Service(StrEnum):
    """When an exec agent counts as running: systemd's Type=."""

    EXEC = "exec"
    NOTIFY = "notify"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for the start, the stop, the migration and between two signs of life.

    `watchdog` 0 is off. The hook `check` has the time of a start, `pre_stop` that of a stop.
    """

    start: int = 30
    stop: int = 15
    watchdog: int = 10
    migrate: int = 300


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How an exec agent is probed: exactly one of `command`, `http` and `tcp` is set.

    Times in seconds; `liveness` has an agent started again that fails `failures` times in a row.
    """

    command: tuple[str, ...] = ()
    http: str = ""
    tcp: str = ""
    period: int = 30
    timeout: int = 5
    failures: int = 3
    successes: int = 1
    start_delay: int = 0
    liveness: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of an agent.yaml. `schema` and `defaults` are of the agents' config.

    `requires_python`, `opmas` and `requirements` are as written; no `architectures` is all.
    `requires`, `wants` and `after` name agents, `conflicts` names packages.
    """

    name: str
    version: str
    summary: str
    runtime: Runtime
    entry: str = ""
    command: tuple[str, ...] = ()
    service: Service = Service.NOTIFY
    schema: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    sandbox: Sandbox = field(default=Sandbox())
    limits: Limits = field(default=Limits())
    timeouts: Timeouts = Timeouts()
    after: tuple[str, ...] = ()
    health_check: HealthCheck | None = None
    events: EventTypes = field(default=EventTypes())
    license: str = ""
    links: Links = field(default=Links())
    opmas: str = ""
    requires_python: str = ""
    architectures: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    hooks: Hooks = field(default=Hooks())
    recovery: Recovery = NO_RECOVERY
    metrics: tuple[Metric, ...] = ()

    @property
    def traits(self) -> Traits:
        """How the health of its agents is told."""
        check = self.health_check
        return Traits(
            watchdog=self.timeouts.watchdog,
            check=check is not None,
            liveness=check is not None and check.liveness,
        )


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


_API: Final = fields.matching(re.compile(re.escape(API)), f'must be "{API}"')
_ENTRY: Final = fields.matching(ENTRY, "must be module:Class, like hostwatch:HostWatch")
_HOST: Final = r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
HTTP: Final = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[!-~]*)?")
TCP: Final = re.compile(rf"{_HOST}:[0-9]{{1,5}}")
_HTTP: Final = fields.matching(
    HTTP,
    "must be a URL like http://127.0.0.1:9100/healthz",
)
_TCP: Final = fields.matching(
    TCP,
    "must be an address like 127.0.0.1:9100",
)


def _read(top: Fields) -> Manifest:
    top.need("api", _API, API)
    runtime = top.need("runtime", fields.one_of(Runtime), Runtime.PYTHON)
    python = runtime is Runtime.PYTHON
    service = _service(top, runtime)
    config = top.section("config")
    manifest = Manifest(
        name=top.need("name", metadata.name, ""),
        version=top.need("version", version, ""),
        summary=top.need("summary", fields.line, ""),
        runtime=runtime,
        entry=top.need("entry", _ENTRY, "") if python else "",
        command=() if python else top.need("command", command, ()),
        service=service,
        schema=config.get("schema", _json_mapping, {}),
        defaults=config.get("defaults", _json_mapping, {}),
        sandbox=read_sandbox(top.section("sandbox")),
        limits=read_limits(top.section("limits")),
        timeouts=_timeouts(top.section("timeouts"), runtime, service),
        after=top.get("after", fields.each(metadata.name), ()),
        health_check=None if python else _health_check(top),
        events=read_event_types(top.section("events")),
        license=top.get("license", fields.line, ""),
        links=read_links(top.section("links")),
        opmas=top.get("opmas", specifier, ""),
        requires_python=top.get("requires_python", specifier, "") if python else "",
        architectures=top.get("architectures", fields.each(metadata.architecture), ()),
        requirements=_requirements(top) if python else (),
        requires=top.get("requires", metadata.names, ()),
        wants=top.get("wants", metadata.names, ()),
        conflicts=top.get("conflicts", metadata.names, ()),
        hooks=read_hooks(top.section("hooks"), python=python),
        recovery=read_recovery(top.section("recovery")),
        metrics=read_metrics(top.sections("metrics", METRICS)),
    )
    config.finish()
    _refuse_of_the_other(top, python=python)
    return manifest


def _refuse_of_the_other(top: Fields, *, python: bool) -> None:
    if python:
        for key in ("command", "service", "health_check"):
            top.refuse(key, "has no meaning with runtime: python; it is for runtime: exec")
    else:
        for key in ("entry", "requires_python", "requirements"):
            top.refuse(key, "has no meaning with runtime: exec; it is for runtime: python")


def _requirements(top: Fields) -> tuple[str, ...]:
    return top.get("requirements", fields.each(requirement, most=REQUIREMENTS), ())


def _service(top: Fields, runtime: Runtime) -> Service:
    if runtime is Runtime.PYTHON:
        return Service.NOTIFY
    return top.get("service", fields.one_of(Service), Service.EXEC)


def _json_mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldError(("", f"must be a mapping of keys to values, not {shown(value)}"))
    return cast("dict[str, Any]", fields.json_value(value))


def _timeouts(section: Fields, runtime: Runtime, service: Service) -> Timeouts:
    hour = 3600
    python = runtime is Runtime.PYTHON
    timeouts = Timeouts(
        start=section.get("start", fields.integer(1, hour), 30),
        stop=section.get("stop", fields.integer(1, hour), 15),
        # the SDK feeds the watchdog; of another program nobody knows unless it says so
        watchdog=section.get("watchdog", fields.integer(int(python), hour), 10 if python else 0),
        migrate=section.get("migrate", fields.integer(1, hour), 300),
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
        command=section.get("command", command, ()),
        http=section.get("http", _HTTP, ""),
        tcp=section.get("tcp", _TCP, ""),
        period=section.get("period", fields.integer(1, 86_400), 30),
        timeout=section.get("timeout", fields.integer(1, 300), 5),
        failures=section.get("failures", fields.integer(1, 100), 3),
        successes=section.get("successes", fields.integer(1, 100), 1),
        start_delay=section.get("start_delay", fields.integer(0, 3600), 0),
        liveness=section.get("liveness", fields.flag, default=False),
    )
    if sum(section.has(kind) for kind in ("command", "http", "tcp")) != 1:
        section.problems.add(section.path, "must have exactly one of command, http and tcp")
    section.finish()
    return check


def _check_together(manifest: Manifest, problems: Problems) -> None:
    """Name what only two keys together make wrong."""
    for position, name in enumerate(manifest.wants):
        if name in manifest.requires:
            problems.add(f"wants[{position}]", f'"{name}" is in requires too, which says more')
    for position, name in enumerate(manifest.conflicts):
        if name == manifest.name:
            problems.add(f"conflicts[{position}]", "must not be the package itself")
    for path, reason in secret_problems(manifest.schema, "config.schema"):
        problems.add(path, reason)
    _check_health(manifest, problems)


def _check_health(manifest: Manifest, problems: Problems) -> None:
    check = manifest.health_check
    if check is None:
        return
    if check.timeout > check.period:
        problems.add("health_check.timeout", f"must not be above period ({check.period})")
    reaches = manifest.sandbox.network in {Network.LOOPBACK, Network.FULL}
    if (check.http or check.tcp) and not reaches:
        key = "http" if check.http else "tcp"
        problems.add(f"health_check.{key}", "needs sandbox.network: loopback or full")
