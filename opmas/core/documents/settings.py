"""Settings of a service: sections of a YAML file, each key overridden by the environment.

A section is a frozen dataclass whose fields have a default and `metadata=read_by(...)`; the
settings of one service are a frozen dataclass of sections. The key `state_dir` of the section
`manager` is `manager.state_dir` in the file and `OPMAS_MANAGER_STATE_DIR` in the environment,
which wins. In the environment a list of paths is written with colons. Unknown keys, in either
place, are errors.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from opmas.core.documents import fields
from opmas.core.documents.fields import Fields, Problems, Reader
from opmas.core.documents.sizes import count, percent, size
from opmas.core.recovery import policy
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.policy import DEFAULT_POLICY, Policy
from opmas.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S")

PREFIX: Final = "OPMAS_"


def read_by(reader: Reader[Any], *, separator: str = "") -> dict[str, Any]:
    """Return the metadata of a section's field: what is accepted, how a list is split."""
    return {"reader": reader, "separator": separator}


class LogLevel(StrEnum):
    """How much a service writes to the journal."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ManagerSection:
    """Where the manager listens and keeps its state."""

    socket: str = field(default="/run/opmas/manager.sock", metadata=read_by(fields.absolute_path))
    agent_socket: str = field(
        default="/run/opmas/agent.sock", metadata=read_by(fields.absolute_path)
    )
    state_dir: str = field(default="/var/lib/opmas", metadata=read_by(fields.absolute_path))
    unit_dir: str = field(default="/etc/systemd/system", metadata=read_by(fields.absolute_path))
    packages_path: tuple[str, ...] = field(
        default=("/usr/lib/opmas/agents",),
        metadata=read_by(fields.each(fields.absolute_path), separator=":"),
    )
    check_interval: float = field(default=45.0, metadata=read_by(fields.number(1, 3600)))
    log_level: LogLevel = field(default=LogLevel.INFO, metadata=read_by(fields.one_of(LogLevel)))


@dataclass(frozen=True, slots=True)
class StartSection:
    """How agents are started."""

    concurrency: int = field(default=16, metadata=read_by(fields.integer(1, 1000)))


@dataclass(frozen=True, slots=True)
class EventsSection:
    """How long the event log is."""

    max_count: int = field(default=100_000, metadata=read_by(fields.integer(100, 100_000_000)))
    max_age: int = field(default=7_776_000, metadata=read_by(fields.integer(3600, 10**10)))
    max_bytes: int = field(
        default=256 * 1024**2, metadata=read_by(fields.integer(1024**2, 1024**4))
    )
    agents_share: float = field(default=0.5, metadata=read_by(fields.number(0, 1)))


@dataclass(frozen=True, slots=True)
class HistorySection:
    """How long it is remembered what agents' phases and health were."""

    max_age: float = field(default=2_592_000.0, metadata=read_by(fields.number(3600, 1e10)))
    max_count: int = field(default=500, metadata=read_by(fields.integer(10, 10_000)))


@dataclass(frozen=True, slots=True)
class DatabaseSection:
    """How often the database is backed up, and how many backups there are."""

    backups: int = field(default=7, metadata=read_by(fields.integer(1, 1000)))
    backup_interval: float = field(default=86_400.0, metadata=read_by(fields.number(60, 1e8)))


@dataclass(frozen=True, slots=True)
class AgentsSection:
    """With which interpreter Python agents run; `pythonpath` is for development."""

    python: str = field(default="/usr/bin/python3", metadata=read_by(fields.absolute_path))
    pythonpath: tuple[str, ...] = field(
        default=(), metadata=read_by(fields.each(fields.absolute_path), separator=":")
    )


class Updates(StrEnum):
    """What follows when dpkg delivers a new version of a package."""

    AUTO = "auto"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class PackagesSection:
    """Where packages come from, whom they are trusted from, and how many versions stay."""

    bundle_dirs: tuple[str, ...] = field(
        default=("/var/lib/opmas/bundles",),
        metadata=read_by(fields.each(fields.absolute_path), separator=":"),
    )
    delivered_dir: str = field(
        default="/usr/share/opmas/bundles", metadata=read_by(fields.absolute_path)
    )
    trusted_keys: str = field(
        default="/etc/opmas/trusted-keys.d", metadata=read_by(fields.absolute_path)
    )
    upload_dir: str = field(
        default="/var/lib/opmas-api/uploads", metadata=read_by(fields.absolute_path)
    )
    allow_unsigned: bool = field(default=False, metadata=read_by(fields.flag))
    keep: int = field(default=3, metadata=read_by(fields.integer(1, 100)))
    updates: Updates = field(default=Updates.AUTO, metadata=read_by(fields.one_of(Updates)))


@dataclass(frozen=True, slots=True)
class ChangesSection:
    """How long a change is watched by default: a factor on the figures of its size; 0 is never."""

    watch: float = field(default=1.0, metadata=read_by(fields.number(0, 10)))
    keep: int = field(default=1000, metadata=read_by(fields.integer(10, 1_000_000)))


class Learn(StrEnum):
    """What follows from what was learned of an agent's use of the host."""

    OFF = "off"
    PROPOSE = "propose"
    APPLY = "apply"


def learn(value: object) -> Learn:
    """Read what to do with learned limits; YAML reads a bare off as false."""
    return fields.one_of(Learn)("off" if value is False else value)


_MEMORY: Final = read_by(size(1 << 20, 1 << 50))
_TASKS: Final = read_by(count(1, 4_194_304))
_QUOTA: Final = read_by(percent(1, 100_000))
_WEIGHT: Final = read_by(count(1, 10_000))


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """What agents get whose packages say nothing, what none may have, and what is learned."""

    memory_max: int | None = field(default=None, metadata=_MEMORY)
    memory_high: int | None = field(default=None, metadata=_MEMORY)
    tasks_max: int | None = field(default=None, metadata=_TASKS)
    cpu_quota: int | None = field(default=None, metadata=_QUOTA)
    cpu_weight: int | None = field(default=None, metadata=_WEIGHT)
    io_weight: int | None = field(default=None, metadata=_WEIGHT)
    max_memory_max: int | None = field(default=None, metadata=_MEMORY)
    max_tasks_max: int | None = field(default=None, metadata=_TASKS)
    max_cpu_quota: int | None = field(default=None, metadata=_QUOTA)
    max_cpu_weight: int | None = field(default=None, metadata=_WEIGHT)
    max_io_weight: int | None = field(default=None, metadata=_WEIGHT)
    learn: Learn = field(default=Learn.PROPOSE, metadata=read_by(learn))
    learn_after: float = field(default=24.0, metadata=read_by(fields.number(0.01, 8760)))
    head_room: int = field(default=30, metadata=read_by(percent(5, 1000)))


@dataclass(frozen=True, slots=True)
class UsageSection:
    """How often is read what agents use."""

    interval: float = field(default=5.0, metadata=read_by(fields.number(1, 3600)))


def _of_policy(key: str) -> Any:
    default = getattr(DEFAULT_POLICY, key)
    separator = ":" if isinstance(default, tuple) else ""
    return field(default=default, metadata=read_by(policy.READERS[key], separator=separator))


@dataclass(frozen=True, slots=True)
class RecoverySection:
    """What is done about agents that fail, where neither they nor their packages say other."""

    first_delay: int = _of_policy("first_delay")
    max_delay: int = _of_policy("max_delay")
    jitter: int = _of_policy("jitter")
    max_failures: int = _of_policy("max_failures")
    reset_after: int = _of_policy("reset_after")
    undo: bool = _of_policy("undo")
    undo_within: int = _of_policy("undo_within")
    undo_after: int = _of_policy("undo_after")
    restart_dependency: bool = _of_policy("restart_dependency")
    slow_probe: int = _of_policy("slow_probe")
    give_up_on: tuple[int, ...] = _of_policy("give_up_on")
    host_burst: int = field(default=20, metadata=read_by(fields.integer(1, 10_000)))
    host_per_minute: int = field(default=30, metadata=read_by(fields.integer(0, 100_000)))

    @property
    def policy(self) -> Policy:
        """The host's policy."""
        return Policy(**{key: getattr(self, key) for key in policy.READERS})

    @property
    def budget(self) -> Budget:
        """How many restarts the host allows."""
        return Budget(self.host_burst, float(self.host_per_minute))


@dataclass(frozen=True, slots=True)
class Settings:
    """All of opmas.yaml."""

    manager: ManagerSection = ManagerSection()
    start: StartSection = StartSection()
    events: EventsSection = EventsSection()
    history: HistorySection = HistorySection()
    database: DatabaseSection = DatabaseSection()
    agents: AgentsSection = AgentsSection()
    packages: PackagesSection = PackagesSection()
    changes: ChangesSection = ChangesSection()
    recovery: RecoverySection = RecoverySection()
    limits: LimitsSection = LimitsSection()
    usage: UsageSection = UsageSection()


def parse_settings(
    document: object, environ: Mapping[str, str], *, where: str = "opmas.yaml"
) -> Settings:
    """Return the manager's settings, or raise `ConfigError` that names every fault."""
    return parse_sections(Settings, document, environ, where=where)


def parse_sections(cls: type[S], document: object, environ: Mapping[str, str], *, where: str) -> S:
    """Return the settings whose fields are sections, or raise `ConfigError` with every fault.

    `where` is the file's name for the message.
    """
    problems = Problems()
    top = Fields(document, "", problems)
    sections = {
        name: parse_section(kind, top.section(name), environ)
        for name, kind in get_type_hints(cls).items()
    }
    top.finish()
    problems.check(f"read {where}", ConfigError)
    return cls(**sections)


def parse_section(cls: type[S], section: Fields, environ: Mapping[str, str]) -> S:
    """Return one section; its faults go to the section's `problems`."""
    prefix = f"{PREFIX}{section.path.upper()}_"
    values: dict[str, Any] = {}
    for each in dataclasses.fields(cls):  # type: ignore[arg-type] # a TypeVar cannot say dataclass
        reader: Reader[Any] = each.metadata["reader"]
        value = section.get(each.name, reader, each.default)
        variable = prefix + each.name.upper()
        if variable in environ:
            value = _overridden(each, environ[variable], variable, section.problems)
        values[each.name] = value
    section.finish()
    _refuse_unknown(environ, prefix, [prefix + name.upper() for name in values], section.problems)
    return cls(**values)


def _overridden(
    each: dataclasses.Field[Any], written: str, variable: str, problems: Problems
) -> Any:
    overrides = Fields({variable: _value(each, written)}, "", problems)
    return overrides.get(variable, each.metadata["reader"], each.default)


def _value(each: dataclasses.Field[Any], written: str) -> object:
    """Return what YAML would have made of the text, as far as the default's type tells."""
    if each.metadata["separator"]:
        return [item for item in written.split(each.metadata["separator"]) if item]
    if isinstance(each.default, bool):
        return {"true": True, "false": False}.get(written.lower(), written)
    if isinstance(each.default, int | float):
        try:
            return int(written) if isinstance(each.default, int) else float(written)
        except ValueError:
            return written
    return written


def _refuse_unknown(
    environ: Mapping[str, str], prefix: str, known: list[str], problems: Problems
) -> None:
    for variable in sorted(environ):
        if variable.startswith(prefix) and variable not in known:
            hint = fields.nearest(variable, known)
            problems.add(variable, f"no such setting (environment variable){hint}")
