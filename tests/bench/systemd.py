"""The host's systemd as a measure needs it: unit properties, control groups, the journal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MANAGER: Final = "opmas-manager.service"
AGENTS_SLICE: Final = "opmas.slice/opmas-agents.slice"
MICROSECONDS: Final = 1e6
TICKS: Final = os.sysconf("SC_CLK_TCK")


def systemctl(*arguments: str) -> str:
    """Run systemctl and return its output; `CalledProcessError` when it fails."""
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def agent_unit(name: str) -> str:
    """Return the unit of the agent."""
    return f"opmas-agent@{name}.service"


def show(unit: str, *names: str) -> list[str]:
    """Return these properties of the unit, in this order."""
    lines = systemctl("show", *(f"--property={name}" for name in names), unit).splitlines()
    found = dict(line.partition("=")[::2] for line in lines)
    return [found[name] for name in names]


def monotonic(unit: str, *names: str) -> list[float]:
    """Return instants of the unit on the clock of `time.monotonic`, in seconds; 0 is never."""
    properties = (f"{name}TimestampMonotonic" for name in names)
    return [int(value) / MICROSECONDS for value in show(unit, *properties)]


def pids(unit: str, slice_path: str = "system.slice") -> list[int]:
    """Return the processes in the unit's control group."""
    return _pids(_root() / slice_path / unit)


def agent_pids() -> dict[str, list[int]]:
    """Return the processes of all agents, by the agent's unit."""
    return {group.name: _pids(group) for group in (_root() / AGENTS_SLICE).glob("opmas-agent@*")}


def pss(processes: Iterable[int]) -> float:
    """Return the proportional set size of the processes together, in MB."""
    return sum(_pss(pid) for pid in processes) / 1e6


def cpu(processes: Iterable[int]) -> float:
    """Return the CPU time that the processes have used so far, in seconds."""
    return sum(_ticks(pid) for pid in processes) / TICKS


def reloads_since(epoch: float) -> int:
    """Return how often systemd read its unit files anew since then, by its own log."""
    command = ["journalctl", "-b", "_PID=1", "-o", "cat", "--no-pager", f"--since=@{epoch:.6f}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return sum(line.startswith("Reloading") for line in done.stdout.splitlines())


def _root() -> Path:
    named = Path("/sys/fs/cgroup/systemd")  # where it is version 1
    return named if named.is_dir() else Path("/sys/fs/cgroup")


def _pids(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text("ascii").split()]
    except OSError:
        return []


def _ticks(pid: int) -> int:
    # proc(5): utime and stime are fields 14 and 15; the second, a name, may have spaces
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no Pss in /proc/{pid}/smaps_rollup")
