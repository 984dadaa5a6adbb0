"""The body of a request, read from the socket piece by piece: bounded in memory and in time.

It stands in for gunicorn's own readers. Those of 20.1 (Debian 12) read on for ever when a client
leaves within a chunk, keep a chunk's size line in memory however long it grows, and copy each
piece many times; none of them knows a time.
"""

from __future__ import annotations

import re
import select
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

PIECE: Final = 64 * 1024  # bytes; what is in memory at a time
SILENCE: Final = 10.0  # seconds that a client may send nothing
GRACE: Final = 20.0  # seconds that a body may take, and then a second for every ...
SLOWEST: Final = 64 * 1024  # bytes
LINE_LIMIT: Final = 256  # bytes of a chunk's size line, or of a trailer
TRAILERS: Final = 16
SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


class BodyError(ConnectionError):
    """The body cannot be read to its end, and nothing more can on this connection."""


class Body:
    """What follows a request's head; `length` is None when it comes in chunks.

    `read` returns at most as much as it is asked for, and no bytes at the end only. It raises
    `BodyError`, or `TimeoutError` when the client takes too long.
    """

    def __init__(
        self,
        connection: socket.socket,
        unreader: Any,
        length: int | None,
        *,
        silence: float = SILENCE,
        grace: float = GRACE,
    ) -> None:
        self._silence = silence
        self._grace = grace
        self._connection = connection
        self._unreader = unreader  # gunicorn's: what was received and not used yet
        self._is_chunked = length is None
        self._left = length or 0  # bytes of the body, or of the chunk
        self._pending = b""  # what was received, used up to `_at`
        self._at = 0
        self._received = 0
        self._begun_at = time.monotonic()
        self._state = "open" if length != 0 else "ended"

    def read(self, size: int = PIECE) -> bytes:
        """Return the next bytes."""
        if self._state == "broken":
            raise BodyError("the body was not read to its end")
        if self._state == "ended" or size == 0:
            return b""
        try:
            return self._read(min(size, PIECE) if size > 0 else PIECE)
        except OSError:
            self._state = "broken"
            raise

    def _read(self, size: int) -> bytes:
        if self._is_chunked and self._left == 0:
            self._left = self._next_size()
            if self._left == 0:
                self._end()
                return b""
        if self._at == len(self._pending):
            self._fill()
        found = self._pending[self._at : self._at + min(size, self._left)]
        self._at += len(found)
        self._left -= len(found)
        if self._left == 0 and self._is_chunked:
            self._expect_line_break()
        elif self._left == 0:
            self._end()
        return found

    def _next_size(self) -> int:
        line = self._line()
        found = SIZE.fullmatch(line)
        if found is None:
            raise BodyError("the size of a chunk cannot be read")
        size = int(found[1], 16)
        if size == 0:
            for _ in range(TRAILERS):
                if self._line() == b"\r\n":
                    return 0
            raise BodyError("there are too many trailers")
        return size

    def _expect_line_break(self) -> None:
        if self._line() != b"\r\n":
            raise BodyError("a chunk is longer than it says")

    def _line(self) -> bytes:
        while (end := self._pending.find(b"\n", self._at, self._at + LINE_LIMIT)) < 0:
            if len(self._pending) - self._at >= LINE_LIMIT:
                raise BodyError("a line between chunks is too long")
            self._fill()
        line = self._pending[self._at : end + 1]
        self._at = end + 1
        return line

    def _fill(self) -> None:
        """Receive something, soon enough."""
        if self._unreader.buf.tell():
            piece: bytes = self._unreader.read()
        else:
            self._wait()
            piece = self._connection.recv(PIECE)
        if not piece:
            raise BodyError("the client left before the end of the body")
        self._received += len(piece)
        self._pending = self._pending[self._at :] + piece
        self._at = 0

    def _wait(self) -> None:
        due_at = self._begun_at + self._grace + self._received / SLOWEST
        patience = min(self._silence, due_at - time.monotonic())
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if patience <= 0 or not poll.poll(patience * 1000):
            raise TimeoutError("the client sends its body too slowly")

    def _end(self) -> None:
        self._state = "ended"
        self._unreader.unread(self._pending[self._at :])  # it belongs to the next request
        self._pending, self._at = b"", 0
