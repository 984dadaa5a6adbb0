"""What an agent under test is surrounded by: its directories, its sockets, its environment."""

from __future__ import annotations

import json
import os
import shutil
import site
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import opmas
from opmas.agent.testing.manager import ManagerSocket
from opmas.agent.testing.notify import NotifySocket
from opmas.agent.testing.reactor import Reactor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.agent.testing.package import Package

# systemd's own default for system services
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_START: Final = Path(__file__).with_name("start.py")


class Stage:
    """The surroundings of one agent, as a context; they last from one of its lives to the next."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.state = directory / "state"
        self.runtime = directory / "runtime"
        self.temporary = directory / "tmp"
        self.credentials = directory / "credentials"
        # the path of a socket has 107 bytes at most, and pytest's directories are long
        self._sockets = Path(tempfile.mkdtemp(prefix="opmas-"))
        self.reactor = Reactor()
        self.notify = NotifySocket(self._sockets / "notify", self.reactor)
        self.manager = ManagerSocket(self._sockets / "agent.sock", self.reactor, agent=name)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for directory in (self.state, self.runtime, self.temporary, self.credentials):
            directory.mkdir(parents=True, exist_ok=True)
        self._stack.callback(shutil.rmtree, self._sockets)
        for part in (self.reactor, self.notify):
            self._stack.enter_context(part)
        self._stack.callback(self.manager.__exit__)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write_config(self, package: str, version: int, config: Mapping[str, Any]) -> None:
        """Make the file say what the agent is started with next."""
        self.manager.version, self.manager.config = version, dict(config)
        given = {"agent": self.name, "package": package, "version": version, "config": config}
        path = self.credentials / "config.json"
        path.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")

    def environ(self, watchdog: float, more: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that the agent's unit gives it, and no other variable."""
        environ = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": "/",
            "TMPDIR": str(self.temporary),
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(self.runtime),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "NOTIFY_SOCKET": str(self.notify.path),
            "OPMAS_AGENT_SOCKET": str(self.manager.path),
        }
        if watchdog:
            environ["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        tree = str(Path(opmas.__file__).resolve().parents[1])
        if tree not in {*site.getsitepackages(), site.getusersitepackages()}:
            environ["PYTHONPATH"] = tree  # opmas is not installed, it is run where it was written
        return environ | dict(more)


def command(package: Package, report_every: float | None) -> list[str]:
    """Return the program of the package's agents, with its arguments."""
    if package.runtime == "exec":
        return package.program(package.command)
    # -s -P as in the unit: neither the user's site directory nor the working directory
    python = [sys.executable, "-sP", *_xoptions()]
    runner = ["-m", "opmas.agent"] if report_every is None else [str(_START), str(report_every)]
    return [*python, *runner, "--path", str(package.directory), package.entry]


def _xoptions() -> list[str]:
    """Return nothing of the tests' own interpreter but its wish for no .pyc files."""
    return ["-B"] if sys.dont_write_bytecode or os.environ.get("PYTHONDONTWRITEBYTECODE") else []
