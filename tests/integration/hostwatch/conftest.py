"""hostwatch as a real process, with a manager's socket and a file system to fill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opmas.agent.testing import ManagerSocket

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "opmas" / "agents" / "hostwatch"
DEADLINE = 10.0

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerSocket]:
    """Return a manager that is there."""
    with ManagerSocket(tmp_path / "agent.sock", agent="watch") as sock:
        yield sock


@pytest.fixture
def start(tmp_path: Path, manager: ManagerSocket) -> Iterator[Start]:
    """Return a function that starts hostwatch; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start_hostwatch(config: dict[str, Any]) -> subprocess.Popen[bytes]:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"agent": "watch", "version": 1, "config": config}))
        manager.config = config
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "OPMAS_AGENT_SOCKET": str(manager.path),
            "OPMAS_AGENT_CONFIG": str(path),
            "STATE_DIRECTORY": str(tmp_path),
        }
        command = [sys.executable, "-sP", "-m", "opmas.agent", "--path", str(PACKAGE)]
        started.append(subprocess.Popen([*command, "hostwatch:HostWatch"], env=environ))
        return started[-1]

    yield start_hostwatch
    for process in started:
        process.kill()
        process.wait(DEADLINE)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return an empty file system of 1 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "opmas-test", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)
