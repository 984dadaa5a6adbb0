"""Whether a client that waits is still there, and still welcome."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Final

from opmas.errors import StoreError

if TYPE_CHECKING:
    import socket

    from opmas.api.tokens import Token, Tokens

CHECK_EVERY: Final = 15.0  # seconds; so long a stream may outlive its token


class Presence:
    """Tells whether the client is connected and its token live; None is no known connection."""

    def __init__(
        self,
        connection: socket.socket | None,
        token: Token,
        tokens: Tokens,
        check_every: float = CHECK_EVERY,
    ) -> None:
        self._connection = connection
        self._token = token
        self._tokens = tokens
        self._check_every = check_every
        self._checked_at = time.monotonic()

    def lasts(self) -> bool:
        """Tell whether to go on."""
        if self._connection is not None and _has_left(self._connection):
            return False
        if time.monotonic() - self._checked_at < self._check_every:
            return True
        self._checked_at = time.monotonic()
        try:
            return self._tokens.is_live(self._token)
        except StoreError:  # it was live a moment ago, and the disk will be mended
            return True


def _has_left(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)  # poll(2) adds POLLHUP and POLLERR by itself
    return bool(poll.poll(0))
