"""Files that several parts look at, each read once: of processes, agents and units."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from opmas.diagnosis.scene import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opmas.diagnosis.parts import Board
    from opmas.diagnosis.scene import Scene

OURS: Final = re.compile(r"/opmas[\w-]*(?:@[^/\n]*)?\.(?:service|slice)")  # in a control group
UNITS: Final = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
LARGEST: Final = 1 << 20  # bytes of an agent's file


def our_processes(scene: Scene, board: Board) -> list[tuple[Path, str]]:
    """Return the processes of OPMAS and its agents: their place in /proc and their group."""
    return board.once("processes", lambda: list(_processes(scene)))


def agent_files(scene: Scene, board: Board) -> dict[Path, Any]:
    """Return the documents in each agent's agent.json and config.json; a fault as its text."""
    return board.once("agent files", lambda: dict(_agents(scene)))


def unit_files(scene: Scene, board: Board) -> dict[Path, str]:
    """Return the unit files and drop-ins of OPMAS, those of an administrator first."""
    return board.once("unit files", lambda: dict(_units(scene)))


def _processes(scene: Scene) -> Iterator[tuple[Path, str]]:
    numbers = (path for path in scene.path("/proc").iterdir() if path.name.isdigit())
    for path in sorted(numbers, key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):
            group = (path / "cgroup").read_text(encoding="ascii", errors="replace")
            if OURS.search(group):
                yield path, group


def _agents(scene: Scene) -> Iterator[tuple[Path, Any]]:
    for pattern in ("agents/*/agent.json", "agents/*/config.json"):
        for path in sorted(scene.state.glob(pattern)):
            try:
                yield path, json.loads(read_text(path, LARGEST))
            except (OSError, ValueError) as error:
                yield path, f"{path}: {error}"


def _units(scene: Scene) -> Iterator[tuple[Path, str]]:
    seen = set()
    for folder in dict.fromkeys((*UNITS, scene.settings.manager.unit_dir)):
        for path in sorted(scene.path(folder).glob("opmas*")):
            for file in sorted(path.glob("*.conf")) if path.is_dir() else [path]:
                with contextlib.suppress(OSError):
                    if file not in seen:
                        seen.add(file)
                        yield file, read_text(file)
