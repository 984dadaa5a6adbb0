"""An agent as a real process, with the sockets it talks to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opmas.agent.testing import ManagerSocket, NotifySocket

ROOT = Path(__file__).parents[3]
DEADLINE = 10.0


class AgentProcess:
    """One agent's process."""

    def __init__(self, argv: list[str], environ: dict[str, str], stderr: Path) -> None:
        self._stderr = stderr
        with stderr.open("wb") as file:
            stat = os.fstat(file.fileno())
            environ["JOURNAL_STREAM"] = environ.get("JOURNAL_STREAM", "").format(stat=stat)
            self._process = subprocess.Popen(argv, env=environ, cwd=ROOT, stderr=file)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit code."""
        return self._process.wait(DEADLINE)

    def stop(self) -> int:
        """Stop it as systemd does and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait(DEADLINE)

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self._stderr.read_text(encoding="utf-8")


StartAgent = Callable[..., AgentProcess]


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[NotifySocket]:
    """Return the socket that the agent notifies."""
    with NotifySocket(tmp_path / "notify") as sock:
        yield sock


@pytest.fixture
def manager_path(tmp_path: Path) -> Path:
    """Return where the agent looks for the manager."""
    return tmp_path / "agent.sock"


@pytest.fixture
def manager(manager_path: Path) -> Iterator[ManagerSocket]:
    """Return a manager that is there."""
    with ManagerSocket(manager_path) as sock:
        yield sock


@pytest.fixture
def start(tmp_path: Path, notify: NotifySocket, manager_path: Path) -> Iterator[StartAgent]:
    """Return a function that starts a sample agent; what still runs at the end is killed."""
    started: list[AgentProcess] = []

    def start_agent(
        name: str,
        config: dict[str, Any] | None = None,
        watchdog: float = 0,
        environ: dict[str, str] | None = None,
    ) -> AgentProcess:
        path = tmp_path / "config.json"
        document = {"agent": "web", "package": "samples", "version": 1, "config": config or {}}
        path.write_text(json.dumps(document), encoding="utf-8")
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "NOTIFY_SOCKET": str(notify.path),
            "OPMAS_AGENT_SOCKET": str(manager_path),
            "OPMAS_AGENT_CONFIG": str(path),
            "WATCHDOG_USEC": str(int(watchdog * 1e6)),
            **(environ or {}),
        }
        here = str(Path(__file__).parent)
        argv = [
            sys.executable,
            "-P",
            "-m",
            "opmas.agent",
            "--path",
            here,
            name if ":" in name else f"samples:{name}",
        ]
        started.append(AgentProcess(argv, env, tmp_path / "stderr"))
        return started[-1]

    yield start_agent
    for process in started:
        process.kill()
