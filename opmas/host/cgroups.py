"""What the kernel's control groups say: who a process is, and what a unit uses.

Works on cgroup v2 and on v1 hierarchies, where each controller has a tree of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opmas.core.agent import agent_name, unit_name

ROOT: Final = Path("/sys/fs/cgroup")
AGENTS: Final = "opmas.slice/opmas-agents.slice"
NANOSECONDS: Final = 1e9
MICROSECONDS: Final = 1e6
READ_MAX: Final = 4096  # bytes; cpu.stat has under 1 KB


@dataclass(frozen=True, slots=True)
class Usage:
    """What one agent uses now; None where the kernel does not say."""

    memory_bytes: int | None = None
    tasks: int | None = None
    cpu_seconds: float | None = None


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
                _cpu_stat(f"{place}/cpu.stat"),
            )
        cpu = _number(f"{self._root}/cpuacct/{group}/cpuacct.usage")
        return Usage(
            _number(f"{self._root}/memory/{group}/memory.usage_in_bytes"),
            _number(f"{self._root}/pids/{group}/pids.current"),
            None if cpu is None else cpu / NANOSECONDS,
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
