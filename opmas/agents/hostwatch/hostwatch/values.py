"""From two samples, what each rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .proc import cpu_use
from .usage import Stalled, Unreachable, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .host import Sample
    from .watch import Values

Instances = dict[str, float | None]


def rule_values(before: Sample | None, now: Sample, writable: frozenset[str]) -> Values:
    """Return the values by rule; `writable` are the mount points that were once writable.

    A rule whose reading failed or does not exist here is left out.
    """
    values: dict[str, Instances] = {
        **_of_memory(now),
        **_of_pressure(now),
        **_of_filesystems(now, writable),
    }
    if now.load and now.cpu:
        values["load_per_cpu"] = {"": now.load.one / now.cpu.online}
    if now.temperatures is not None:
        values["temperature"] = dict(now.temperatures)
    if now.failed_units is not None:
        values["unit_failed"] = dict.fromkeys(now.failed_units, 1.0)
    if before and now.at > before.at:
        values |= _of_rates(before, now)
    return values


def disk_busy(before: Sample, now: Sample) -> Instances:
    """Return the share of time (0 to 1) that each disk was busy between the samples."""
    return {
        name: _rate(old.busy_seconds, disk.busy_seconds, now.at - before.at, most=1.0)
        for name, disk in (now.disks or {}).items()
        if (old := (before.disks or {}).get(name))
    }


def _of_memory(now: Sample) -> dict[str, Instances]:
    values: dict[str, Instances] = {}
    memory = now.memory
    if memory and memory.available is not None:
        available: Instances = {"": 100 * memory.available / memory.total}
        values["memory_available"] = values["memory_available_critical"] = available
    if memory:
        # Without swap there is no value, and what was raised is over.
        used = memory.swap_total - memory.swap_free
        values["swap_used"] = {"": 100 * used / memory.swap_total} if memory.swap_total else {}
    return values


def _of_pressure(now: Sample) -> dict[str, Instances]:
    return {
        f"pressure_{name}": {"": 100 * stalls["some"].share}
        for name, stalls in now.pressure.items()
        if "some" in stalls
    }


def _of_filesystems(now: Sample, writable: frozenset[str]) -> dict[str, Instances]:
    if now.filesystems is None:
        return {}
    used: Instances = {}
    inodes: Instances = {}
    stalled: Instances = {}
    read_only: Instances = {}
    for fs in now.filesystems:
        answer = now.usage.get(fs.device)
        if isinstance(answer, Unreachable):
            continue
        name = fs.mountpoint
        used[name] = inodes[name] = None
        stalled[name] = None if answer is None else float(isinstance(answer, Stalled))
        if name in writable:
            read_only[name] = float(fs.read_only)
        if isinstance(answer, Usage) and not fs.read_only:  # what is read-only does not fill up
            used[name] = _percent(answer.used_share)
            inodes[name] = _percent(answer.files_used_share)
    return {
        "filesystem_used": used,
        "filesystem_used_critical": used,
        "filesystem_inodes": inodes,
        "filesystem_stalled": stalled,
        "filesystem_read_only": read_only,
    }


def _of_rates(before: Sample, now: Sample) -> dict[str, Instances]:
    values: dict[str, Instances] = {}
    use = cpu_use(before.cpu, now.cpu) if before.cpu and now.cpu else None
    if use:
        values["cpu_usage"] = {"": 100 * use.busy}
        values["cpu_steal"] = {"": 100 * use.steal}
    if now.disks is not None:
        values["disk_busy"] = {name: _percent(x) for name, x in disk_busy(before, now).items()}
    if now.interfaces is not None:
        values["network_errors"] = dict(_network_errors(before, now))
    return values


def _network_errors(before: Sample, now: Sample) -> Iterable[tuple[str, float | None]]:
    for name, interface in (now.interfaces or {}).items():
        old = (before.interfaces or {}).get(name)
        if old:
            first = old.received_errors + old.sent_errors
            last = interface.received_errors + interface.sent_errors
            yield name, _rate(first, last, now.at - before.at)


def _rate(first: float, last: float, seconds: float, most: float = float("inf")) -> float | None:
    # A counter that runs backwards was reset: its device went and came back.
    return None if last < first else min(most, (last - first) / seconds)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
