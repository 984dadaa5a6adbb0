"""How many requests of one sort are answered at the same time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.exceptions import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Places:
    """How many requests of one sort there may be at once; each holds a thread."""

    def __init__(self, count: int, full: str = "clients wait already") -> None:
        self._count = count
        self._full = full
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> None:
        """Take a place, or raise what becomes 503: the other threads are for short requests."""
        if not self._free.acquire(blocking=False):
            raise ServiceUnavailable(f"{self._count} {self._full}, which is the most")

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
