"""What agents use, read often: from cgroupfs by descriptors that stay open.

A file is opened once and read again and again with pread: 1 to 9 us instead of 10 to 20. Each
open file keeps a page of the kernel's memory, so only MOST_OPEN stay open, most of them of those
that are read each time. A control group that was removed answers ENODEV: its files are opened
anew, which are those of the next run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import unit_name
from opmas.core.resources.usage import Detail, Sample
from opmas.host import descriptors
from opmas.host.cgroups import AGENTS, HELD, HELD_V1, MICROSECONDS, NANOSECONDS, ROOT, Cgroups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

MOST_OPEN: Final = 4096  # of the manager's LimitNOFILE=16384, where each agent has a connection
OFTEN: Final = frozenset({"cpu", "cpuacct", "memory", "tasks"})  # read for each sample
READ_MAX: Final = 8192  # bytes; io.stat has a line for each disk
MISSING: Final = -1
DROPPED: Final = ("inactive_file", "active_file", "slab_reclaimable")
DROPPED_V1: Final = ("total_inactive_file", "total_active_file")

# Each file by the figure that it has, below a control group; %s is the group.
V2: Final = {
    "cpu": "%s/cpu.stat",
    "memory": "%s/memory.current",
    "tasks": "%s/pids.current",
    "stat": "%s/memory.stat",
    "swap": "%s/memory.swap.current",
    "peak": "%s/memory.peak",
    "events": "%s/memory.events",
    "io": "%s/io.stat",
    "memory_pressure": "%s/memory.pressure",
    "cpu_pressure": "%s/cpu.pressure",
    "io_pressure": "%s/io.pressure",
    "processes": "%s/cgroup.procs",
}
# systemd's own hierarchy beside v1's counts CPU time and pressure, where the host has it.
V1: Final = {
    "cpu": "unified/%s/cpu.stat",
    "cpuacct": "cpuacct/%s/cpuacct.usage",
    "memory": "memory/%s/memory.usage_in_bytes",
    "tasks": "pids/%s/pids.current",
    "stat": "memory/%s/memory.stat",
    "peak": "memory/%s/memory.max_usage_in_bytes",
    "events": "memory/%s/memory.oom_control",
    "failures": "memory/%s/memory.failcnt",
    "quota": "cpu/%s/cpu.stat",
    "io_bytes": "blkio/%s/blkio.throttle.io_service_bytes",
    "io_count": "blkio/%s/blkio.throttle.io_serviced",
    "memory_pressure": "unified/%s/memory.pressure",
    "cpu_pressure": "unified/%s/cpu.pressure",
    "io_pressure": "unified/%s/io.pressure",
    "processes": "systemd/%s/cgroup.procs",
}


class Meter:
    """Reads what agents use; close it, or `keep` no agent, to have its files closed."""

    def __init__(
        self,
        root: Path = ROOT,
        proc: str = "/proc",
        clock: Callable[[], float] = time.monotonic,
        most_open: int = MOST_OPEN,
    ) -> None:
        self.unified = (root / "cgroup.controllers").exists()
        self._root = str(root)
        self._files = V2 if self.unified else V1
        self._proc = proc
        self._clock = clock
        self._most_open = most_open
        self._open: dict[str, dict[str, int]] = {}  # by agent and figure
        self._count = 0
        self._cgroups = Cgroups(root)

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return self._count

    def sample(self, agent: str, detail: Detail | None = None) -> Sample:
        """Return what the agent uses now, beside the detail that is known of it already."""
        return Sample(
            self._clock(),
            self._number(agent, "memory"),
            self._number(agent, "tasks"),
            self._cpu_seconds(agent),
            detail,
        )

    def whole(self, agent: str) -> Sample:
        """Return what the agent uses now, with all detail."""
        files = self._open.get(agent, {})
        for figure in [each for each, file in files.items() if file == MISSING]:
            del files[figure]  # it may have been about to be made
        return self.sample(agent, self._detail(agent))

    def keep(self, agents: Iterable[str]) -> None:
        """Close the files of all other agents."""
        for agent in self._open.keys() - set(agents):
            self._forget(agent)

    def close(self) -> None:
        """Close all files."""
        self.keep(())

    def _cpu_seconds(self, agent: str) -> float | None:
        text = self._read(agent, "cpu")
        if text:
            with contextlib.suppress(ValueError, IndexError):
                return int(text.split(None, 2)[1]) / MICROSECONDS  # usage_usec is the first line
        if self.unified:
            return None
        used = self._number(agent, "cpuacct")
        return self._cgroups.cpu_seconds(agent) if used is None else used / NANOSECONDS

    def _detail(self, agent: str) -> Detail:
        stat, events = self._table(agent, "stat"), self._table(agent, "events")
        quota = self._table(agent, "cpu" if self.unified else "quota")
        moved = self._io_v2(agent) if self.unified else self._io_v1(agent)
        throttled = events.get("high", 0) if self.unified else self._number(agent, "failures")
        return Detail(
            self._clock(),
            held_bytes=self._held(agent, stat),
            needed_bytes=self._needed(agent, stat),
            peak_bytes=self._number(agent, "peak"),
            oom_kills=events.get("oom_kill", 0),
            throttled=throttled or 0,
            cpu_periods=quota.get("nr_periods", 0),
            cpu_throttled=quota.get("nr_throttled", 0),
            read_bytes=moved.get("rbytes"),
            written_bytes=moved.get("wbytes"),
            reads=moved.get("rios"),
            writes=moved.get("wios"),
            memory_pressure=self._pressure(agent, "memory_pressure"),
            cpu_pressure=self._pressure(agent, "cpu_pressure"),
            io_pressure=self._pressure(agent, "io_pressure"),
            descriptors=descriptors.count(self._read(agent, "processes").split(), self._proc),
        )

    def _held(self, agent: str, stat: Mapping[str, int]) -> int | None:
        names = HELD if self.unified else HELD_V1
        if names[0] not in stat:
            return None
        swapped = self._number(agent, "swap") if self.unified else stat.get("total_swap")
        return sum(stat.get(name, 0) for name in names) + (swapped or 0)

    def _needed(self, agent: str, stat: Mapping[str, int]) -> int | None:
        """Return what counts for the limit, without what the kernel drops when it is short."""
        used = self._number(agent, "memory")
        if used is None or not stat:
            return None
        names = DROPPED if self.unified else DROPPED_V1
        return max(0, used - sum(stat.get(name, 0) for name in names))

    def _pressure(self, agent: str, figure: str) -> float | None:
        words = self._read(agent, figure).split(None, 2)  # some avg10=0.00 avg60=…
        if len(words) < 2 or words[0] != b"some":  # noqa: PLR2004 -- the first two words
            return None
        with contextlib.suppress(ValueError):
            return float(words[1].removeprefix(b"avg10="))
        return None

    def _io_v2(self, agent: str) -> dict[str, int]:
        """Return the sums over all disks: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`."""
        text = self._read(agent, "io")
        sums = self._no_io(agent, "io")
        for word in text.split():
            name, found, number = word.decode("ascii", "replace").partition("=")
            if found and number.isdigit():
                sums[name] = sums.get(name, 0) + int(number)
        return sums

    def _io_v1(self, agent: str) -> dict[str, int]:
        """Return the same from lines like `8:0 Read 4096`."""
        self._read(agent, "io_bytes")
        sums = self._no_io(agent, "io_bytes")
        for figure, names in (
            ("io_bytes", {b"Read": "rbytes", b"Write": "wbytes"}),
            ("io_count", {b"Read": "rios", b"Write": "wios"}),
        ):
            for line in self._read(agent, figure).splitlines():
                words = line.split()
                if len(words) == 3 and words[1] in names and words[2].isdigit():  # noqa: PLR2004
                    name = names[words[1]]
                    sums[name] = sums.get(name, 0) + int(words[2])
        return sums

    def _no_io(self, agent: str, figure: str) -> dict[str, int]:
        """Return what is counted for an agent that used no disk yet, where that is counted."""
        known = self._open.get(agent, {}).get(figure, MISSING) != MISSING
        return dict.fromkeys(("rbytes", "wbytes", "rios", "wios"), 0) if known else {}

    def _number(self, agent: str, figure: str) -> int | None:
        text = self._read(agent, figure)
        try:
            return int(text) if text else None
        except ValueError:  # "max"
            return None

    def _table(self, agent: str, figure: str) -> dict[str, int]:
        words = self._read(agent, figure).split()
        try:
            return {
                name.decode("ascii"): int(number)
                for name, number in zip(words[::2], words[1::2], strict=True)
            }
        except ValueError:
            return {}

    def _read(self, agent: str, figure: str) -> bytes:
        """Return the file's content, empty when there is none."""
        files = self._open.get(agent)
        if files is not None and (known := files.get(figure)) is not None:
            if known == MISSING:
                return b""
            try:
                return os.pread(known, READ_MAX, 0)
            except OSError:  # ENODEV: the control group is gone, or another by now
                self._forget(agent)
        return self._opened(agent, figure)

    def _opened(self, agent: str, figure: str) -> bytes:
        files = self._open.setdefault(agent, {})
        path = f"{self._root}/{self._files[figure] % f'{AGENTS}/{unit_name(agent)}'}"
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            # a controller that the host does not have, when others of its files are there
            if files and error.errno == errno.ENOENT:
                files[figure] = MISSING
            return b""
        try:
            text = os.pread(file, READ_MAX, 0)
        except OSError:  # EOPNOTSUPP: pressure that is compiled in, and off
            text = b""
        # with many agents, what is seldom read would leave no room for what is read each time
        if self._count < (self._most_open if figure in OFTEN else self._most_open // 4):
            files[figure] = file
            self._count += 1
        else:
            os.close(file)
        return text

    def _forget(self, agent: str) -> None:
        for file in self._open.pop(agent, {}).values():
            if file != MISSING:
                os.close(file)
                self._count -= 1
