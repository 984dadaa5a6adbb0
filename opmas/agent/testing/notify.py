"""systemd's side of $NOTIFY_SOCKET (sd_notify(3)): records what a service says.

As systemd does with NotifyAccess=main, it takes no word of another process than the service's
main one, and none of more than 4096 bytes or with a NUL in it.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from opmas.agent.testing.reactor import Reactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE: Final = 10.0
SIZE_LIMIT: Final = 4096
_CREDENTIALS: Final = struct.Struct("3i")
_DESCRIPTORS: Final = 253  # the kernel's limit of one message


class NotifySocket:
    """A real datagram socket, as a context; with `main_pid` that process alone is heard."""

    def __init__(self, path: Path, reactor: Reactor | None = None) -> None:
        self.path = path
        self.main_pid: int | None = None
        self.lines: list[str] = []
        self.ignored: list[str] = []  # why systemd would not have listened
        self.on_line: Callable[[str], None] = lambda _: None
        self._taken = 0  # how many of the lines a wait has passed
        self._stack = ExitStack()
        self._own = reactor is None
        self._reactor = reactor or Reactor()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        if self._own:
            self._reactor = self._stack.enter_context(Reactor())
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self._socket.bind(str(self.path))
        self._reactor.hear(self._socket, self.drain)
        return self

    def __exit__(self, *_: object) -> None:
        with self._reactor.lock:
            self._reactor.forget(self._socket)
            self._socket.close()
        self._stack.close()

    def wait_for(self, start: str, within: float = DEADLINE) -> str:
        """Return the next new line that starts so, or fail when none comes within the time."""
        __tracebackhide__ = True
        until = time.monotonic() + within
        found = self._reactor.wait(lambda: self._next(start), lambda: until)
        if found is None:
            raise AssertionError(f"no {start!r} within {within} s; got {self.lines}")
        return found

    def heard_for(self, seconds: float) -> list[str]:
        """Return every new line of so many seconds."""
        until = time.monotonic() + seconds
        self._reactor.wait(lambda: None, lambda: until)
        with self._reactor.lock:
            heard, self._taken = self.lines[self._taken :], len(self.lines)
        return heard

    def drain(self) -> None:
        """Take what is there."""
        while True:
            try:
                raw, sent_along, flags, _ = self._socket.recvmsg(
                    SIZE_LIMIT, socket.CMSG_SPACE(12) + socket.CMSG_SPACE(4 * _DESCRIPTORS)
                )
            except OSError:  # nothing more, or the socket is closed
                return
            fault = self._fault(raw, flags, _sender(sent_along))
            if fault:
                self.ignored.append(fault)
                continue
            lines = raw.decode(errors="replace").rstrip("\0").splitlines()
            for line in lines:
                self.lines.append(line)
                self.on_line(line)

    def _fault(self, raw: bytes, flags: int, sender: int) -> str:
        shown = raw[:60].decode(errors="replace")
        if self.main_pid is not None and sender != self.main_pid:
            return (
                f"{shown!r} came from process {sender}, systemd hears the main one alone:"
                f" {self.main_pid} (NotifyAccess=main)"
            )
        if flags & socket.MSG_TRUNC:
            return f"{shown!r}... has more than {SIZE_LIMIT} bytes"
        if b"\0" in raw.removesuffix(b"\0"):
            return f"{shown!r} has a NUL in it"
        return ""

    def _next(self, start: str) -> str | None:
        for number in range(self._taken, len(self.lines)):
            if self.lines[number].startswith(start):
                self._taken = number + 1
                return self.lines[number]
        return None


def _sender(sent_along: list[tuple[int, int, bytes]]) -> int:
    """Return who sent it; descriptors sent along are closed: that answers a BARRIER=1."""
    sender = 0
    for level, kind, data in sent_along:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS:
            sender = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
        elif kind == socket.SCM_RIGHTS:
            whole = array.array("i")
            whole.frombytes(data[: len(data) - len(data) % whole.itemsize])
            for descriptor in whole:
                os.close(descriptor)
    return sender
