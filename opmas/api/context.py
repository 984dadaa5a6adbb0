"""What every handler works with, made once by `create_app`."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.exceptions import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.api.database import Database
    from opmas.api.feed import Feed
    from opmas.api.manager import Manager
    from opmas.api.tokens import Tokens


class Places:
    """How many requests may wait at once; each holds a thread."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> None:
        """Take a place, or raise what becomes 503: the other threads are for short requests."""
        if not self._free.acquire(blocking=False):
            raise ServiceUnavailable(f"{self._count} clients wait already, which is the most")

    def leave(self) -> None:
        """Give the place back."""
        self._free.release()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place during the block."""
        self.take()
        try:
            yield
        finally:
            self.leave()


@dataclass(frozen=True, slots=True)
class Api:
    """The way to the manager, the tokens, and who waits for events."""

    manager: Manager
    database: Database
    tokens: Tokens
    feed: Feed
    places: Places

    def close(self) -> None:
        """End what waits; requests that are being answered go on."""
        self.feed.close()
