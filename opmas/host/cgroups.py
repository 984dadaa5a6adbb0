"""What the kernel's control groups say: who a process is, and what a unit uses.

Works on cgroup v2 and on v1 hierarchies, where each controller has a tree of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opmas.core.agent.terms import agent_name, unit_name

ROOT: Final = Path("/sys/fs/cgroup")
AGENTS: Final = "opmas.slice/opmas-agents.slice"
NANOSECONDS: Final = 1e9
MICROSECONDS: Final = 1e6
READ_MAX: Final = 4096  # bytes; cpu.stat has under 1 KB, memory.stat under 3
# What is an agent's own and cannot be dropped: caches of files come and go with what it reads.
HELD: Final = ("anon", "shmem")
HELD_V1: Final = ("total_rss", "total_shmem")
UNLIMITED_V1: Final = 2**60  # memory.limit_in_bytes says 2**63 less a page


@dataclass(frozen=True, slots=True)
class Usage:
    """What one agent uses now; None where the kernel does not say."""

    memory_bytes: int | None = None
    tasks: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """How one agent stands with its memory limit; counts are those of its present run."""

    held_bytes: int | None = None  # without what the kernel can drop
    max_bytes: int | None = None
    oom_kills: int = 0
    throttled: int = 0  # times that it was slowed down at its high mark, or hit its limit (v1)


class Cgroups:
    """The control groups under `root`."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._unified = (root / "cgroup.controllers").exists()

    def usage(self, agent: str) -> Usage:
        """Return what the agent's unit uses."""
        group = f"{AGENTS}/{unit_name(agent)}"
        if self._unified:
            place = f"{self._root}/{group}"
            return Usage(
                _number(f"{place}/memory.current"),
                _number(f"{place}/pids.current"),
                self.cpu_seconds(agent),
            )
        return Usage(
            _number(f"{self._root}/memory/{group}/memory.usage_in_bytes"),
            _number(f"{self._root}/pids/{group}/pids.current"),
            self.cpu_seconds(agent),
        )

    def cpu_seconds(self, agent: str) -> float | None:
        """Return what CPU time the agent's unit used."""
        group = f"{AGENTS}/{unit_name(agent)}"
        if self._unified:
            return _cpu_stat(f"{self._root}/{group}/cpu.stat")
        cpu = _number(f"{self._root}/cpuacct/{group}/cpuacct.usage")
        return self._cpu_of_processes(group) if cpu is None else cpu / NANOSECONDS

    def _cpu_of_processes(self, group: str) -> float | None:
        """Return what its processes used: systemd counts none where cpu and cpuacct are apart."""
        try:
            pids = _read(f"{self._root}/systemd/{group}/cgroup.procs").split()
            # after the name, which may hold anything: utime, stime, and those of dead children
            stats = (_read(f"/proc/{int(pid)}/stat").rpartition(b")")[2].split() for pid in pids)
            ticks = sum(sum(map(int, stat[11:15])) for stat in stats)
        except (OSError, ValueError):
            return None
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self, agent: str) -> Memory:
        """Return how the agent's unit stands with its memory limit."""
        group = f"{AGENTS}/{unit_name(agent)}"
        if not self._unified:
            return self._memory_v1(f"{self._root}/memory/{group}")
        place = f"{self._root}/{group}"
        events = _table(f"{place}/memory.events")
        return Memory(
            _held(_table(f"{place}/memory.stat"), HELD, _number(f"{place}/memory.swap.current")),
            _number(f"{place}/memory.max"),  # "max" is no number, and no limit
            events.get("oom_kill", 0),
            events.get("high", 0),
        )

    def _memory_v1(self, place: str) -> Memory:
        limit = _number(f"{place}/memory.limit_in_bytes")
        stat = _table(f"{place}/memory.stat")
        return Memory(
            _held(stat, HELD_V1, stat.get("total_swap")),
            None if limit is None or limit >= UNLIMITED_V1 else limit,
            _table(f"{place}/memory.oom_control").get("oom_kill", 0),
            _number(f"{place}/memory.failcnt") or 0,
        )


def agent_of_process(pid: int, uid: int) -> str | None:
    """Return the agent in whose unit the process runs, or None.

    `uid` is the peer's as the kernel gave it with the pid: when the process is another user's by
    now, the pid was used again.
    """
    try:
        if os.stat(f"/proc/{pid}").st_uid != uid:  # noqa: PTH116 -- no Path for each connection
            return None
        text = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    return agent_in(text)


def agent_in(cgroups: str) -> str | None:
    """Return the agent that /proc/PID/cgroup names, or None.

    systemd's own hierarchy decides: `0::` with cgroup v2 alone, else `name=systemd`. The unit is
    the component below the agents' slice, so a group that an agent makes inside its own cannot
    claim another's name.
    """
    lines = (line.split(":", 2) for line in cgroups.splitlines())
    paths = {controllers: path for _, controllers, path in lines}
    path = paths.get("name=systemd", paths.get("", ""))
    _, found, below = path.partition(f"/{AGENTS}/")
    if not found or not path.startswith(f"/{AGENTS}/"):
        return None
    return agent_name(below.split("/", 1)[0])


def _number(path: str) -> int | None:
    try:
        return int(_read(path))
    except (OSError, ValueError):
        return None


def _table(path: str) -> dict[str, int]:
    """Return the file's lines of a name and a number; what is not there is empty."""
    try:
        pairs = (line.split() for line in _read(path).decode("ascii").splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}  # noqa: PLR2004
    except (OSError, ValueError):
        return {}


def _held(stat: dict[str, int], names: tuple[str, ...], swapped: int | None) -> int | None:
    if not any(name in stat for name in names):
        return None
    return sum(stat.get(name, 0) for name in names) + (swapped or 0)


def _cpu_stat(path: str) -> float | None:
    try:
        words = _read(path).split()
        return int(words[words.index(b"usage_usec") + 1]) / MICROSECONDS
    except (OSError, ValueError, IndexError):
        return None


def _read(path: str) -> bytes:
    """Return the file's content; a list of agents reads three each, which pathlib slows down."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, READ_MAX)
    finally:
        os.close(descriptor)
