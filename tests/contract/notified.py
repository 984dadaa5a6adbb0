"""What a program's notifications make of its unit: for systemd, and for the one of tests."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol, Self

from opmas.agent.testing.notify import NotifySocket
from opmas.agent.testing.process import Process
from opmas.agent.testing.reactor import Reactor
from opmas.agent.testing.unit import Unit
from tests.lab import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab import Host

SOON: Final = 20.0
# Sends its arguments, each a message; one that begins with ">" is sent by a child.
PROGRAM: Final = """
import os, socket, subprocess, sys, time
def send(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(os.environ["NOTIFY_SOCKET"])
        sock.send(text.encode().replace(b"NOW", str(time.monotonic_ns() // 1000).encode()))
for text in sys.argv[1:]:
    if not text.startswith(">"):
        send(text)
    elif os.fork() == 0:
        send(text[1:])
        os._exit(0)
    else:
        os.wait()
time.sleep(60)
"""

_numbers = count(1)


class Notified(Protocol):
    """One who is notified."""

    def run(self, *messages: str, watchdog: float = 0) -> None:
        """Start a service that sends the messages and goes on."""
        ...

    def status(self) -> str:
        """Return the status text of the service."""
        ...

    def state(self) -> str:
        """Return the state of the service as systemd calls it."""
        ...

    def end(self) -> str:
        """Wait until the service has ended, and return why, as in Result=."""
        ...


class AuthorsSide:
    """The sockets and the process of `opmas.agent.testing`."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._reactor = Reactor()
        self._notify = NotifySocket(folder / "notify", self._reactor)

    def __enter__(self) -> Self:
        self._stack.enter_context(self._reactor)
        self._stack.enter_context(self._notify)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._stack.close()

    def run(self, *messages: str, watchdog: float = 0) -> None:
        unit = Unit(notifies=True, watchdog=watchdog, start=30, now=time.monotonic())
        self._process = Process(self._reactor, self._notify, unit, lambda: None)
        environ = {"NOTIFY_SOCKET": str(self._notify.path)}
        self._process.start([sys.executable, "-c", PROGRAM, *messages], environ)

    def status(self) -> str:
        return self._process.unit.status

    def state(self) -> str:
        return self._process.unit.state

    def end(self) -> str:
        wait_for(lambda: self._process.has_ended, SOON, "it has ended")
        return "watchdog" if self._process.barked else f"exit {self._process.exit_code}"


class SystemdSide:
    """systemd on a lab host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._unit = f"notifying-{next(_numbers)}.service"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._host.run("systemctl", "kill", "--signal=KILL", self._unit, check=False)
        self._host.run("systemctl", "reset-failed", self._unit, check=False)

    def run(self, *messages: str, watchdog: float = 0) -> None:
        settings = ["-p", "NotifyAccess=main", "-p", f"WatchdogSec={watchdog:g}"]
        unit = ["--no-block", f"--unit={self._unit}", "--service-type=notify", *settings]
        self._host.run("systemd-run", *unit, "/usr/bin/python3", "-c", PROGRAM, *messages)

    def status(self) -> str:
        return self._shown("StatusText")

    def state(self) -> str:
        return self._shown("ActiveState")

    def end(self) -> str:
        wait_for(lambda: self.state() == "failed", SOON, "it has ended")
        return self._shown("Result")

    def _shown(self, name: str) -> str:
        shown = self._host.run("systemctl", "show", "--value", "-p", name, self._unit)
        return shown.stdout.strip()
