"""systemd's side of $NOTIFY_SOCKET: records what a service says, and when."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 10.0


class NotifySocket:
    """A real datagram socket, as a context."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> NotifySocket:
        self._socket.bind(str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait_for(self, start: str, within: float = DEADLINE) -> str:
        """Return the next new line that starts so, or fail when none comes within the time."""
        until = time.monotonic() + within
        while (left := until - time.monotonic()) > 0:
            for line in self._next(left):
                if line.startswith(start):
                    return line
        raise AssertionError(f"no {start!r} within {within} s; got {self.lines}")

    def heard_for(self, seconds: float) -> list[str]:
        """Return every new line of so many seconds."""
        until = time.monotonic() + seconds
        heard: list[str] = []
        while (left := until - time.monotonic()) > 0:
            heard += self._next(left)
        return heard

    def _next(self, timeout: float) -> list[str]:
        self._socket.settimeout(timeout)
        try:
            lines = self._socket.recv(65536).decode().splitlines()
        except TimeoutError:
            return []
        self.lines += lines
        return lines
