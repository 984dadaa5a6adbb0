"""The kernel's text files about the whole host, as values.

Pure: `parse_x(text) -> value`; nothing here opens a file. A field that this kernel does not have
is None or left out; a line that makes no sense is skipped: proc(5) only ever grows.

Values are named tuples, as the dataclasses module costs an agent 1 MB of memory.
"""

from __future__ import annotations

from typing import NamedTuple

# The kernel counts disk sectors in 512 bytes whatever the disk's own sectors are:
# Documentation/admin-guide/iostats.rst.
SECTOR_BYTES = 512

# proc(5): in user and nice the time of guests is already counted in.
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class Cpu(NamedTuple):
    """Ticks spent in each of CPU_MODES by all CPUs together, and how many CPUs are online."""

    ticks: tuple[int, ...]
    online: int


class CpuUse(NamedTuple):
    """Shares (0 to 1) of the time between two readings."""

    busy: float
    steal: float


class Memory(NamedTuple):
    """Sizes in bytes; `available` is the kernel's estimate for new programs without swapping."""

    total: int
    free: int
    available: int | None
    buffers: int
    cached: int
    dirty: int
    swap_total: int
    swap_free: int


class Load(NamedTuple):
    """Load averages over 1, 5 and 15 minutes."""

    one: float
    five: float
    fifteen: float


class Disk(NamedTuple):
    """Totals since boot of one block device; times in seconds."""

    reads: int
    read_bytes: int
    read_seconds: float
    writes: int
    written_bytes: int
    write_seconds: float
    busy_seconds: float


class Interface(NamedTuple):
    """Totals since boot of one network interface."""

    received_bytes: int
    received_packets: int
    received_errors: int
    received_drops: int
    sent_bytes: int
    sent_packets: int
    sent_errors: int
    sent_drops: int


class Stall(NamedTuple):
    """Pressure stall information: share of the last minute (0 to 1), and seconds since boot."""

    share: float
    seconds: float


def parse_cpu(text: str) -> Cpu | None:
    """Read the ticks of all CPUs from the text of /proc/stat."""
    ticks: tuple[int, ...] = ()
    count = 0
    for line in text.splitlines():
        if not line.startswith("cpu"):
            break  # the CPUs come first; the interrupts after them can be many kilobytes
        name, *numbers = line.split()
        if name == "cpu":
            found = _integers(numbers)[: len(CPU_MODES)]
            ticks = tuple(found + [0] * (len(CPU_MODES) - len(found)))
        else:
            count += 1
    return Cpu(ticks, max(count, 1)) if any(ticks) else None


def cpu_use(before: Cpu, after: Cpu) -> CpuUse | None:
    """Return how busy the CPUs were between two readings; None when no time passed."""
    # iowait and idle may run backwards by a tick: proc(5) calls iowait unreliable.
    spent = {
        mode: max(0, new - old)
        for mode, old, new in zip(CPU_MODES, before.ticks, after.ticks, strict=True)
    }
    total = sum(spent.values())
    if not total:
        return None
    return CpuUse(1 - (spent["idle"] + spent["iowait"]) / total, spent["steal"] / total)


def parse_meminfo(text: str) -> Memory | None:
    """Read the text of /proc/meminfo."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        if number.isdecimal():
            found[name] = int(number) * (1024 if unit == "kB" else 1)
    if not found.get("MemTotal"):
        return None
    return Memory(
        total=found["MemTotal"],
        free=found.get("MemFree", 0),
        available=found.get("MemAvailable"),
        buffers=found.get("Buffers", 0),
        cached=found.get("Cached", 0) + found.get("SReclaimable", 0),
        dirty=found.get("Dirty", 0),
        swap_total=found.get("SwapTotal", 0),
        swap_free=found.get("SwapFree", 0),
    )


def parse_loadavg(text: str) -> Load | None:
    """Read the text of /proc/loadavg."""
    try:
        one, five, fifteen = map(float, text.split()[:3])
    except ValueError:
        return None
    return Load(one, five, fifteen)


def parse_diskstats(text: str) -> dict[str, Disk]:
    """Read the text of /proc/diskstats: every block device and partition by its name."""
    disks = {}
    for line in text.splitlines():
        words = line.split()
        numbers = _integers(words[3:])
        if len(numbers) >= 10:  # noqa: PLR2004 (fewer: partitions on kernels before 2.6.25)
            disks[words[2]] = Disk(
                reads=numbers[0],
                read_bytes=numbers[2] * SECTOR_BYTES,
                read_seconds=numbers[3] / 1000,
                writes=numbers[4],
                written_bytes=numbers[6] * SECTOR_BYTES,
                write_seconds=numbers[7] / 1000,
                busy_seconds=numbers[9] / 1000,
            )
    return disks


def parse_net_dev(text: str) -> dict[str, Interface]:
    """Read the text of /proc/net/dev: every interface by its name."""
    interfaces = {}
    for line in text.splitlines():
        # Old kernels leave no blank after the colon, and an alias has a colon in its name.
        name, _, rest = line.rpartition(":")
        numbers = _integers(rest.split())
        if len(numbers) >= 12:  # noqa: PLR2004 (8 columns received, then bytes packets errs drop)
            interfaces[name.strip()] = Interface(*numbers[:4], *numbers[8:12])
    return interfaces


def parse_pressure(text: str) -> dict[str, Stall]:
    """Read the text of one file of /proc/pressure: `some` and, where there is one, `full`."""
    stalls = {}
    for line in text.splitlines():
        share, *pairs = line.split() or [""]
        fields = dict(pair.partition("=")[::2] for pair in pairs)
        try:
            stall = Stall(float(fields["avg60"]) / 100, int(fields["total"]) / 1e6)
        except (KeyError, ValueError):
            continue
        stalls[share] = stall
    return stalls


def _integers(words: list[str]) -> list[int]:
    return [int(word) for word in words] if all(word.isdecimal() for word in words) else []
