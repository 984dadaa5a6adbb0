"""The command `opmas` as a process, and a manager for it to talk to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.manager import FakeManager
from tests.integration.cli.terminal import run_on_terminal

TOP = Path(__file__).parents[3]
Opmas = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[FakeManager]:
    """A manager with the packages demo and hostwatch and no agents."""
    with FakeManager(tmp_path / "manager.sock") as fake:
        yield fake


@pytest.fixture
def web(manager: FakeManager) -> dict[str, Any]:
    """The agent web of that manager, running."""
    manager.host.agent_put("web", "demo", config={"interval": 10})
    return manager.host.agents["web"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which opmas finds the manager; it is not that of the test's terminal."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return {
        **kept,
        "PYTHONPATH": str(TOP),
        "OPMAS_MANAGER_SOCKET": str(tmp_path / "manager.sock"),
        "TERM": "xterm",
        "TZ": "UTC",
    }


@pytest.fixture
def opmas(environ: dict[str, str]) -> Opmas:
    """Run `opmas` with the words and return what came of it."""

    def run(*words: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words),
            env={**environ, **more},
            input=typed,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


@pytest.fixture
def terminal(environ: dict[str, str]) -> Callable[..., tuple[int, str]]:
    """Run `opmas` on a terminal and return its exit code and what was shown."""

    def run(
        *words: str,
        typed: str = "",
        answers: Sequence[tuple[str, str]] = (),
        columns: int = 80,
        **more: str,
    ) -> tuple[int, str]:
        argv, there = command(*words), {**environ, **more}
        answers = answers or ([("[y/N]", typed)] if typed else ())
        return run_on_terminal(argv, there, columns=columns, answers=answers)

    return run


def command(*words: str) -> list[str]:
    """Return the words as a command line."""
    return [sys.executable, "-m", "opmas", *words]
