"""The bridge's end of its link to the manager: JSON lines, never blocking."""

from __future__ import annotations

import json
import os
from typing import Any, Final

CHUNK: Final = 65536


class Channel:
    """Reads requests from one file descriptor and writes answers and events to another."""

    def __init__(self, reads: int = 0, writes: int = 1) -> None:
        self.reads = reads
        self.writes = writes
        self.is_closed = False
        self._requests: list[dict[str, Any]] = []
        self._half = b""
        self._unsent = bytearray()
        os.set_blocking(reads, False)
        os.set_blocking(writes, False)

    @property
    def unsent_bytes(self) -> int:
        """How much the manager has not taken yet."""
        return len(self._unsent)

    @property
    def has_requests(self) -> bool:
        """Whether a request is there to be taken."""
        return bool(self._requests)

    def receive(self) -> None:
        """Read what the manager has sent; the end of the stream closes the channel."""
        try:
            chunk = os.read(self.reads, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.is_closed = True
        *lines, self._half = (self._half + chunk).split(b"\n")
        self._requests += [json.loads(line) for line in lines if line.strip()]

    def take(self) -> dict[str, Any]:
        """Return the oldest request."""
        return self._requests.pop(0)

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message; `flush` sends it."""
        self._unsent += json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def flush(self) -> None:
        """Send as much as the manager takes now."""
        while self._unsent:
            try:
                sent = os.write(self.writes, self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self.is_closed = True
                return
            del self._unsent[:sent]
