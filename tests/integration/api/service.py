"""The API as a process, and clients that speak plain HTTP to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.promises import HeldConnection

if TYPE_CHECKING:
    from tests.promises import HeldAnswer

ROOT = Path(__file__).parents[3]
STARTED_WITHIN = 20.0  # seconds; 0.5 on a machine with nothing else to do


class Service:
    """`python3 -m opmas.api` on a free port of the loopback, with the folder's files."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.port = free_port()
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OPMAS_API_LISTEN": f"127.0.0.1:{self.port}",
            "OPMAS_API_DATABASE": str(folder / "api.db"),
            "OPMAS_API_UPLOAD_DIR": str(folder / "uploads"),
            "OPMAS_API_MANAGER_SOCKET": str(folder / "manager.sock"),
            **{f"OPMAS_API_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None
        made = json.loads(self.run("token", "create", "--name", "tests", "--json").stdout)
        self.token: str = made["token"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command with these arguments to its end."""
        command = [sys.executable, "-m", "opmas.api", "--config", str(self.folder), *arguments]
        return subprocess.run(
            command, env=self.environ, cwd="/", capture_output=True, text=True, check=True
        )

    def start(self, *prefix: str) -> Self:
        """Start the service and wait for its first answer."""
        command = [*prefix, sys.executable, "-m", "opmas.api", "--config", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environ, cwd="/", stderr=log)
        until(self.answers, STARTED_WITHIN)
        return self

    def answers(self) -> bool:
        """Tell whether the service is there."""
        try:
            return self.get("/v1/health")[0] in {200, 503}
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send the signal and return the seconds until the end."""
        assert self.process is not None
        began_at = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        self.process = None
        return time.monotonic() - began_at

    def log(self) -> str:
        """Return what the service logged so far."""
        return (self.folder / "log").read_text()

    def get(self, path: str, timeout: float = 10) -> tuple[int, Any]:
        """Return the status and the document of a GET with the token."""
        connection = self.connection(timeout)
        try:
            connection.request("GET", path, headers=self.headers())
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def connection(self, timeout: float = 10) -> HeldConnection:
        """Return a connection whose every answer is held to the contract."""
        return HeldConnection(self.port, timeout)

    def headers(self, **more: str) -> dict[str, str]:
        """Return the headers of a client with the token."""
        return {"Authorization": f"Bearer {self.token}", **more}

    def raw(self, text: bytes = b"") -> socket.socket:
        """Return a connection on which the bytes were sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(text)
        return connection


class Follower:
    """An event-stream client as browsers are: it reconnects with the last id that it saw."""

    def __init__(self, service: Service, after: int = 0) -> None:
        self.seen: list[int] = []
        self.gaps = 0
        self.connects = 0
        self._service = service
        self._last = str(after)
        self._connection: socket.socket | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def cut(self) -> None:
        """Lose the connection."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):  # it may be lost already
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Leave for good."""
        self._ended.set()
        while self._thread.is_alive():
            self.cut()
            self._thread.join(0.05)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                self._ended.wait(0.05)

    def _follow(self) -> None:
        client = self._service.connection(20)
        try:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": self._last}
            client.request("GET", "/v1/events", headers=self._service.headers(**headers))
            self._connection = client.sock
            answer = client.getresponse()
            if answer.status == http.HTTPStatus.OK:
                self.connects += 1
                self._read(answer)
            else:
                self._ended.wait(0.05)
        finally:
            client.close()

    def _read(self, answer: HeldAnswer) -> None:
        block: dict[str, str] = {}
        while line := answer.readline():
            if field := line.decode().rstrip("\n"):
                name, _, value = field.partition(": ")
                block[name] = value
                continue
            self._last = block.get("id", self._last)
            if block.get("event") == "gap":
                self.gaps += 1
            elif "data" in block:
                self.seen.append(int(block["id"]))
            block = {}


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Any, seconds: float = 10) -> None:
    """Return when the condition holds, or fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {condition}"
        time.sleep(0.02)
