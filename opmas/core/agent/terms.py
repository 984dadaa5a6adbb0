"""The words and values about one agent that every tier shares.

A *package* is code; an *agent* is a named instance of a package with a configuration. Three
fields are always told apart: `Desired` (what is wanted), `Phase` (what is observed), `Health`
(how well it does).
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from opmas.core.recovery.policy import NO_RECOVERY, Recovery
from opmas.errors import InvalidError

UNIT_PREFIX: Final = "opmas-agent@"
UNIT_SUFFIX: Final = ".service"
PROBE_PREFIX: Final = "opmas-probe@"
HOOK_PREFIX: Final = "opmas-hook@"
WORKER_PREFIXES: Final = ("opmas-package@", "opmas-apt@")

# One label of a host name (RFC 1123): safe as unit instance, path component, cgroup name, NATS
# subject token and URL segment, with no escaping in any of them.
NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Desired(StrEnum):
    """What the operator wants of an agent."""

    RUNNING = "running"
    STOPPED = "stopped"


class Phase(StrEnum):
    """Where an agent is in its life, as observed."""

    REGISTERED = "registered"
    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    STOPPING = "stopping"
    STOPPED = "stopped"
    BACKOFF = "backoff"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Health(StrEnum):
    """How well an agent does; `UNKNOWN` unless it runs."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why an agent is in its phase: a closed list; docs/reference/reasons.md explains each."""

    CREATED = "created"
    REQUESTED = "requested"
    BOOT = "boot"
    SYSTEMCTL = "systemctl"
    AUTO_RESTART = "auto-restart"
    READY = "ready"
    RELOAD = "reload"
    HELD = "held-by-systemctl"
    CLEAN_EXIT = "clean-exit"
    CRASHED = "crashed"
    WATCHDOG = "watchdog"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    EXIT_CONFIG = "config-error"
    START_LIMIT = "start-limit"
    CRASH_LOOP = "crash-loop"
    UNIT_ERROR = "unit-error"
    MASKED = "masked"
    PACKAGE_MISSING = "package-missing"
    CHANGE = "change"
    DEPENDENCY = "dependency-down"
    UNHEALTHY = "unhealthy"
    BUDGET = "restart-budget"
    DEPENDENCY_RESTART = "dependency-restart"
    UNDO = "undo"
    SLOW_PROBE = "slow-probe"


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of one agent; None takes the template's default.

    Sizes in bytes; `cpu_quota` in percent of one CPU; the weights 1-10000
    (systemd.resource-control(5)).
    """

    memory_max: int | None = None
    memory_high: int | None = None
    tasks_max: int | None = None
    cpu_quota: int | None = None
    cpu_weight: int | None = None
    io_weight: int | None = None


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """What the operator wrote about one agent. `grants` are names such as `network=observe`.

    Without a `version` it runs what the host has of the package, as with one that dpkg owns.
    """

    name: str
    package: str
    version: str = ""
    desired: Desired = Desired.RUNNING
    config: dict[str, Any] = field(default_factory=dict)
    limits: Limits = Limits()
    grants: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    recovery: Recovery = NO_RECOVERY


def unit_name(agent: str) -> str:
    """Return the systemd unit of the agent."""
    return f"{UNIT_PREFIX}{agent}{UNIT_SUFFIX}"


def agent_name(unit: str) -> str | None:
    """Return the agent of a systemd unit, or None when the unit is not an agent's."""
    if not (unit.startswith(UNIT_PREFIX) and unit.endswith(UNIT_SUFFIX)):
        return None
    name = unit[len(UNIT_PREFIX) : -len(UNIT_SUFFIX)]
    return name if NAME.fullmatch(name) else None


def probe_unit(agent: str) -> str:
    """Return the systemd unit that runs the agent's health check once."""
    return f"{PROBE_PREFIX}{agent}{UNIT_SUFFIX}"


def hook_unit(agent: str) -> str:
    """Return the systemd unit that migrates the agent's data once."""
    return f"{HOOK_PREFIX}{agent}{UNIT_SUFFIX}"


def is_managed(unit: str) -> bool:
    """Return whether jobs of the unit concern OPMAS: an agent's, its helpers', a worker's."""
    helpers = (PROBE_PREFIX, HOOK_PREFIX, *WORKER_PREFIXES)
    return agent_name(unit) is not None or unit.startswith(helpers)


def check_name(name: object, what: str = "agent name") -> str:
    """Return the name when it is one, or raise `InvalidError` that says what a name is."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    shown = reprlib.repr(name)  # shortened: the name may be of any size
    raise InvalidError(
        f"cannot use {shown} as {what}: use 1 to 63 lower-case letters, digits and inner hyphens,"
        ' like "web-2"'
    )
