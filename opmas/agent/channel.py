"""The socket to the manager: never blocks, reconnects with growing pauses."""

from __future__ import annotations

import socket

from opmas.agent.backoff import Backoff
from opmas.agent.link import Denied, Link, Message, ProtocolError, Welcome

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
# A manager that accepts and then says nothing is as good as away.
HELLO_TIMEOUT = 10.0
NEVER = float("inf")
_CHUNK = 64 * 1024


class Channel:
    """Carries the bytes of a `Link`; one connection at a time."""

    def __init__(self, path: str, link: Link, jitter: Callable[[], float]) -> None:
        self._path = path
        self._link = link
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, jitter)
        self._socket: socket.socket | None = None
        self._open_at = 0.0
        self._hello_by = NEVER
        # Called with the descriptor before it is closed: an event loop forgets it in time.
        self.before_close: Callable[[int], None] = lambda _: None
        self.problem = ""  # why there is no connection, for the log

    @property
    def descriptor(self) -> int | None:
        """The descriptor to poll, or None while there is no connection."""
        return None if self._socket is None else self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether there are bytes to write."""
        return self._socket is not None and bool(self._link.unsent())

    def next_at(self) -> float:
        """Return when `tick` has something to do."""
        return self._open_at if self._socket is None else self._hello_by

    def tick(self, now: float, config_version: int | None) -> None:
        """Connect when it is time to, or give up a connection whose manager is silent."""
        if self._socket is not None:
            if now >= self._hello_by:
                self.close(now, "the manager does not answer")
        elif now >= self._open_at:
            self._open(now, config_version)

    def read(self, now: float) -> list[Message]:
        """Return what the manager said, as far as it is there."""
        if self._socket is None:
            return []
        try:
            chunk = self._socket.recv(_CHUNK)
            messages = self._link.received(chunk) if chunk else None
        except BlockingIOError:
            return []
        except (OSError, ProtocolError) as error:
            self.close(now, str(error))
            return []
        if messages is None:
            self.close(now, "the manager closed the connection")
            return []
        for message in messages:
            self._judge(message, now)
        return messages

    def write(self, now: float) -> None:
        """Write what the socket takes now."""
        while self._socket is not None and (unsent := self._link.unsent()):
            try:
                self._link.sent(self._socket.send(unsent))
            except BlockingIOError:
                return
            except OSError as error:
                self.close(now, str(error))

    def close(self, now: float, why: str = "") -> None:
        """Drop the connection; the next try comes after a pause."""
        if self._socket is not None:
            self.before_close(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._link.lost()
        self.problem = why
        self._open_at = now + self._backoff.pause()
        self._hello_by = NEVER

    def _open(self, now: float, config_version: int | None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        try:
            self._socket.connect(self._path)
        except OSError as error:  # also EAGAIN: the manager's backlog is full
            self.close(now, f"{self._path}: {error.strerror or error}")
            return
        self._link.opened(config_version)
        self._hello_by = now + HELLO_TIMEOUT
        self.write(now)

    def _judge(self, message: Message, now: float) -> None:
        if isinstance(message, Welcome):
            # Only now: a manager that accepts and hangs up must not be called in a tight loop.
            self._backoff.reset()
            self._hello_by = NEVER
            self.problem = ""
        elif isinstance(message, Denied):
            self.close(now, message.reason)
