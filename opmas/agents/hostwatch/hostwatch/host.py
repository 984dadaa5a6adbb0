"""Reads everything that hostwatch watches, once per round.

Each reading stands for itself: what this host does not have is None, what cannot be read is None
with a word in `Sample.problems`, and the others go on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .dbus import SYSTEM_BUS, BusError
from .files import list_names, read_text
from .mounts import (
    Filesystem,
    Mount,
    find_filesystems,
    hidden_mounts,
    parse_fstab,
    parse_mountinfo,
)
from .patterns import matches
from .proc import (
    Cpu,
    Disk,
    Interface,
    Load,
    Memory,
    Stall,
    parse_cpu,
    parse_diskstats,
    parse_loadavg,
    parse_meminfo,
    parse_net_dev,
    parse_pressure,
)
from .sensors import Sensor, find_sensors, read_temperatures
from .units import read_failed_units
from .usage import Answer, UsageReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .settings import Settings

# Sensors come and go with modules: seldom.
SENSOR_SEARCH_SECONDS = 300.0

# A host may have thousands of disks or mounts; the first ones by name are watched.
MOST_INSTANCES = 64

T = TypeVar("T")


class Roots(NamedTuple):
    """Where the host is looked at; a test puts its own files here."""

    proc: str = "/proc"
    sys: str = "/sys"
    etc: str = "/etc"
    run: str = "/run"
    bus: str = SYSTEM_BUS


class Sample(NamedTuple):
    """All readings of one round, taken at `at` (monotonic seconds)."""

    at: float
    cpu: Cpu | None
    memory: Memory | None
    load: Load | None
    pressure: Mapping[str, Mapping[str, Stall]]
    disks: Mapping[str, Disk] | None
    interfaces: Mapping[str, Interface] | None
    links: Mapping[str, bool]
    filesystems: list[Filesystem] | None
    usage: Mapping[str, Answer]
    temperatures: Mapping[str, float] | None
    failed_units: list[str] | None
    problems: Mapping[str, str]


class Host:
    """The host that the agent runs on."""

    def __init__(
        self, roots: Roots | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.roots = roots or Roots()
        self._clock = clock
        self._usage = UsageReader()
        self._problems: dict[str, str] = {}
        self._mounts: tuple[str, list[Mount]] = ("", [])
        self._sensors: tuple[float, list[Sensor]] = (float("-inf"), [])
        self._units: tuple[float, list[str] | None, str] = (float("-inf"), None, "")

    def read(self, settings: Settings) -> Sample:
        """Take all readings."""
        self._problems = {}
        at = self._clock()
        filesystems = self._try("filesystems", lambda: self._filesystems(settings))
        interfaces = self._try("network", lambda: self._interfaces(settings))
        sample = Sample(
            at=at,
            cpu=self._parsed("cpu", "stat", parse_cpu),
            memory=self._parsed("memory", "meminfo", parse_meminfo),
            load=self._parsed("load", "loadavg", parse_loadavg),
            pressure={
                name: self._parsed("pressure", f"pressure/{name}", parse_pressure) or {}
                for name in ("cpu", "io", "memory")
            },
            disks=self._try("disks", lambda: self._disks(settings)),
            interfaces=interfaces,
            links=self._try("network", lambda: self._links(interfaces or {})) or {},
            filesystems=filesystems,
            usage=self._usage.read(filesystems or [], settings.mount_timeout),
            temperatures=self._try("temperatures", lambda: self._temperatures(settings, at)),
            failed_units=self._failed_units(settings.failed_units_period, at),
            problems=self._problems,
        )
        if sample.cpu is None and sample.memory is None:
            self._problems.setdefault(
                "proc",
                f"cannot see {self.roots.proc}/stat and {self.roots.proc}/meminfo:"
                ' the sandbox must grant "proc: host"',
            )
        return sample

    def hidden_mounts(self) -> list[str]:
        """Return the mount points of fstab that the sandbox hides from this agent."""
        try:
            fstab = parse_fstab(read_text(f"{self.roots.etc}/fstab") or "")
        except OSError:
            return []
        return hidden_mounts(self._all_mounts(), fstab)

    def close(self) -> None:
        """Give back what is held."""
        self._usage.close()

    def _parsed(self, name: str, file: str, parse: Callable[[str], T]) -> T | None:
        text = self._try(name, lambda: read_text(f"{self.roots.proc}/{file}"))
        return None if text is None else parse(text)

    def _try(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except OSError as error:
            self._problems[name] = f"cannot read {error.filename or name}: {error.strerror}"
            return None

    def _disks(self, settings: Settings) -> dict[str, Disk] | None:
        text = read_text(f"{self.roots.proc}/diskstats")
        if text is None:
            return None
        # /sys/block has whole disks, diskstats their partitions too.
        whole = frozenset(list_names(f"{self.roots.sys}/block"))
        disks = parse_diskstats(text)
        return _bounded(
            {name: disk for name, disk in disks.items() if name in whole}, settings.ignore_disks
        )

    def _interfaces(self, settings: Settings) -> dict[str, Interface] | None:
        text = read_text(f"{self.roots.proc}/self/net/dev")
        return None if text is None else _bounded(parse_net_dev(text), settings.ignore_interfaces)

    def _links(self, interfaces: Mapping[str, Interface]) -> dict[str, bool]:
        links = {}
        for name in interfaces:
            state = read_text(f"{self.roots.sys}/class/net/{name}/operstate")
            if state is not None:
                # Drivers that do not know, such as tun's, say "unknown" while they work:
                # Documentation/networking/operstates.rst.
                links[name] = state.strip() in {"up", "unknown"}
        return links

    def _filesystems(self, settings: Settings) -> list[Filesystem]:
        found = find_filesystems(self._all_mounts(), settings.ignore_types, settings.ignore_mounts)
        return found[:MOST_INSTANCES]

    def _all_mounts(self) -> list[Mount]:
        text = read_text(f"{self.roots.proc}/self/mountinfo") or ""
        if text != self._mounts[0]:
            self._mounts = (text, parse_mountinfo(text))
        return self._mounts[1]

    def _temperatures(self, settings: Settings, at: float) -> dict[str, float]:
        if at - self._sensors[0] >= SENSOR_SEARCH_SECONDS:
            self._sensors = (at, find_sensors(self.roots.sys)[:MOST_INSTANCES])
        wanted = [s for s in self._sensors[1] if not matches(s.name, settings.ignore_sensors)]
        return read_temperatures(wanted)

    def _failed_units(self, period: float | None, at: float) -> list[str] | None:
        if period is None:
            return None
        if at - self._units[0] >= period:
            try:
                self._units = (at, read_failed_units(self.roots.bus, self.roots.run), "")
            except BusError as error:
                self._units = (at, None, f"cannot list failed units: {error}")
        _, units, problem = self._units
        if problem:
            self._problems["failed_units"] = problem
        return units


def _bounded(found: dict[str, T], ignored: list[str]) -> dict[str, T]:
    """Return those that are not ignored, so many that the set of metrics stays small."""
    wanted = [name for name in found if not matches(name, ignored)]
    return {name: found[name] for name in wanted[:MOST_INSTANCES]}
