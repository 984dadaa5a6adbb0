"""What a run was made on: figures mean nothing without it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]


def describe() -> dict[str, Any]:
    """Return the machine, its load now, and the commit that is measured."""
    return {
        "cpu": _first(Path("/proc/cpuinfo"), "model name"),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(_first(Path("/proc/meminfo"), "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
        "commit": _git("describe", "--always", "--dirty", "--exclude=*"),
    }


def summary(machine: dict[str, Any]) -> str:
    """Return the description as one line."""
    return (
        f"{machine['cpus']} x {machine['cpu']}, {machine['memory_gib']} GiB,"
        f" Linux {machine['kernel']}, load {machine['load']}, commit {machine['commit'] or '?'}"
    )


def _first(path: Path, key: str) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
