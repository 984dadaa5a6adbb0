"""The metrics that hostwatch sends: the host's figures under Prometheus names, in base units.

What is gone is forgotten at once. How many time series there can be is bounded: an agent's whole
set must fit the 64 KiB of one line to the manager, at 130 bytes each.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from .proc import CPU_MODES, cpu_use
from .usage import Stalled, Unreachable, Usage
from .values import disk_busy

if TYPE_CHECKING:
    from .host import Sample

# With 7 series for each file system, 8 for each disk and 9 for each interface: 400 in all.
MOST_FILESYSTEMS = 20
MOST_DISKS = 12
MOST_INTERFACES = 12
MOST_SENSORS = 24

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

T = TypeVar("T")


class Metric(Protocol):
    """A counter or gauge of the SDK."""

    def clear(self) -> None:
        """Forget all its values."""


class Metrics(Protocol):
    """The metrics of an agent, as the SDK has them."""

    def counter(self, name: str, help: str, /) -> Any:  # noqa: A002 (Prometheus's word)
        """Return the counter of that name."""

    def gauge(self, name: str, help: str, /) -> Any:  # noqa: A002 (Prometheus's word)
        """Return the gauge of that name."""


class Series(NamedTuple):
    """One number of a metric."""

    labels: Mapping[str, str]
    value: float


# name -> help; a name that ends in _total is a counter. The order is the one they are sent in,
# and what finds no room in the line is at the end.
HELP = {
    "host_cpu_usage_ratio": "share of the time that the CPUs were busy since the last round",
    "host_cpu_seconds_total": "time of all CPUs together by mode",
    "host_cpus": "CPUs online",
    "host_load1": "load average over 1 minute",
    "host_load5": "load average over 5 minutes",
    "host_load15": "load average over 15 minutes",
    "host_memory_total_bytes": "memory",
    "host_memory_available_bytes": "memory that programs can have without swapping",
    "host_memory_free_bytes": "memory that nothing uses",
    "host_memory_buffers_bytes": "memory that buffers block devices",
    "host_memory_cached_bytes": "memory that caches files, and slabs that can be reclaimed",
    "host_memory_dirty_bytes": "memory that waits to be written to disk",
    "host_swap_total_bytes": "swap space",
    "host_swap_free_bytes": "swap space that is not used",
    "host_pressure_ratio": "share of the last minute that some or all work was stalled",
    "host_pressure_seconds_total": "time that some or all work was stalled",
    "host_units_failed": "systemd units that have failed",
    "host_thresholds_raised": "thresholds that are crossed now",
    "host_filesystem_size_bytes": "size of the file system",
    "host_filesystem_free_bytes": "space that is free",
    "host_filesystem_available_bytes": "space that is free for users other than root",
    "host_filesystem_files": "inodes",
    "host_filesystem_files_free": "inodes that are free",
    "host_filesystem_read_only": "1 when nothing can be written",
    "host_filesystem_stalled": "1 when the file system does not answer",
    "host_network_up": "1 when the interface has a link",
    "host_network_received_bytes_total": "bytes received",
    "host_network_received_packets_total": "packets received",
    "host_network_received_errors_total": "packets received with errors",
    "host_network_received_drops_total": "packets received and dropped",
    "host_network_sent_bytes_total": "bytes sent",
    "host_network_sent_packets_total": "packets sent",
    "host_network_sent_errors_total": "packets that could not be sent",
    "host_network_sent_drops_total": "packets dropped before they were sent",
    "host_disk_busy_ratio": "share of the time that the disk was busy since the last round",
    "host_disk_read_bytes_total": "bytes read",
    "host_disk_written_bytes_total": "bytes written",
    "host_disk_reads_total": "reads completed",
    "host_disk_writes_total": "writes completed",
    "host_disk_read_seconds_total": "time spent reading, of all requests together",
    "host_disk_write_seconds_total": "time spent writing, of all requests together",
    "host_disk_busy_seconds_total": "time with a request under way",
    "host_temperature_celsius": "temperature by sensor",
}

OF_INTERFACE = (
    "received_bytes",
    "received_packets",
    "received_errors",
    "received_drops",
    "sent_bytes",
    "sent_packets",
    "sent_errors",
    "sent_drops",
)
OF_DISK = (
    "read_bytes",
    "written_bytes",
    "reads",
    "writes",
    "read_seconds",
    "write_seconds",
    "busy_seconds",
)
OF_MEMORY = ("total", "available", "free", "buffers", "cached", "dirty")


class Report:
    """Sets the agent's metrics from samples."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = {
            name: (metrics.counter if name.endswith("_total") else metrics.gauge)(name, text)
            for name, text in HELP.items()
        }

    def update(self, before: Sample | None, now: Sample, raised: int) -> None:
        """Make the metrics say what this sample says, and nothing else."""
        for metric in self._metrics.values():
            metric.clear()
        for name, series in _all_series(before, now):
            metric = self._metrics[name]
            put = metric.set_total if name.endswith("_total") else metric.set
            put(series.value, **series.labels)
        self._metrics["host_thresholds_raised"].set(raised)


Named = Iterable[tuple[str, Series]]


def _all_series(before: Sample | None, now: Sample) -> Named:
    yield from _of_host(before, now)
    yield from _of_pressure(now)
    yield from _of_filesystems(now)
    yield from _of_interfaces(now)
    yield from _of_disks(before, now)
    for name, celsius in _first(now.temperatures, MOST_SENSORS):
        yield "host_temperature_celsius", Series({"sensor": name}, celsius)


def _of_host(before: Sample | None, now: Sample) -> Named:
    if now.cpu:
        yield "host_cpus", Series({}, now.cpu.online)
        for mode, ticks in zip(CPU_MODES, now.cpu.ticks, strict=True):
            yield "host_cpu_seconds_total", Series({"mode": mode}, ticks / TICKS_PER_SECOND)
    use = cpu_use(before.cpu, now.cpu) if before and before.cpu and now.cpu else None
    if use:
        yield "host_cpu_usage_ratio", Series({}, round(use.busy, 4))
    if now.failed_units is not None:
        yield "host_units_failed", Series({}, len(now.failed_units))
    for minutes, load in zip((1, 5, 15), now.load or (), strict=False):
        yield f"host_load{minutes}", Series({}, load)
    yield from _of_memory(now)


def _of_memory(now: Sample) -> Named:
    if now.memory:
        for field in OF_MEMORY:
            if (size := getattr(now.memory, field)) is not None:
                yield f"host_memory_{field}_bytes", Series({}, size)
        yield "host_swap_total_bytes", Series({}, now.memory.swap_total)
        yield "host_swap_free_bytes", Series({}, now.memory.swap_free)


def _of_pressure(now: Sample) -> Named:
    for resource, stalls in now.pressure.items():
        for share, stall in stalls.items():
            labels = {"resource": resource, "share": share}
            yield "host_pressure_ratio", Series(labels, round(stall.share, 4))
            yield "host_pressure_seconds_total", Series(labels, stall.seconds)


def _of_filesystems(now: Sample) -> Named:
    known = {
        fs: answer
        for fs in now.filesystems or ()
        if not isinstance(answer := now.usage.get(fs.device, Unreachable()), Unreachable)
    }
    for fs, answer in _first(known, MOST_FILESYSTEMS):
        labels = {"mountpoint": fs.mountpoint, "fstype": fs.fs_type}
        yield "host_filesystem_stalled", Series(labels, float(isinstance(answer, Stalled)))
        yield "host_filesystem_read_only", Series(labels, float(fs.read_only))
        if isinstance(answer, Usage):
            yield "host_filesystem_size_bytes", Series(labels, answer.size)
            yield "host_filesystem_free_bytes", Series(labels, answer.free)
            yield "host_filesystem_available_bytes", Series(labels, answer.available)
            yield "host_filesystem_files", Series(labels, answer.files)
            yield "host_filesystem_files_free", Series(labels, answer.files_free)


def _of_interfaces(now: Sample) -> Named:
    for name, interface in _first(now.interfaces, MOST_INTERFACES):
        labels = {"device": name}
        if name in now.links:
            yield "host_network_up", Series(labels, float(now.links[name]))
        for field in OF_INTERFACE:
            yield f"host_network_{field}_total", Series(labels, getattr(interface, field))


def _of_disks(before: Sample | None, now: Sample) -> Named:
    busy = disk_busy(before, now) if before and now.at > before.at else {}
    for name, disk in _first(now.disks, MOST_DISKS):
        labels = {"device": name}
        share = busy.get(name)
        if share is not None:
            yield "host_disk_busy_ratio", Series(labels, round(share, 4))
        for field in OF_DISK:
            yield f"host_disk_{field}_total", Series(labels, getattr(disk, field))


K = TypeVar("K")


def _first(found: Mapping[K, T] | None, most: int) -> Iterable[tuple[K, T]]:
    return islice((found or {}).items(), most)
