"""One thread that hears all that an agent says, and waits for what is heard.

Rule 1: what is heard is noted under one lock, in the order in which it came.
Rule 2: a wait looks at what was noted, so it does not matter whether that came before the wait.
"""

from __future__ import annotations

import heapq
import os
import selectors
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
STOP_WITHIN = 5.0


class Source(Protocol):
    """What has a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


class Reactor:
    """The thread, as a context; what it calls runs under `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._turn, name="opmas-agent-testing")
        self._ends = False

    def __enter__(self) -> Self:
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._wake()
        self._thread.join(STOP_WITHIN)
        self._selector.close()
        os.close(self._wakeup)

    def hear(self, source: Source | int, handle: Callable[[], None]) -> None:
        """Call `handle` whenever there is something to read."""
        self._selector.register(source, selectors.EVENT_READ, handle)

    def forget(self, source: Source | int) -> None:
        """Call nothing for the source any more; it may be forgotten already."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(source)

    def call_at(self, moment: float, function: Callable[[], None]) -> None:
        """Call the function at that time of the monotonic clock."""
        with self.lock:
            heapq.heappush(self._alarms, (moment, next(self._numbers), function))
        self._wake()

    def wait(
        self,
        look: Callable[[], T | None],
        until: Callable[[], float],
        is_over: Callable[[], bool] = lambda: False,
    ) -> T | None:
        """Return what `look` finds; None when the time is up, or nothing more can come."""
        with self.lock:
            while (found := look()) is None:
                left = until() - time.monotonic()
                if left <= 0 or is_over():
                    return None
                self.lock.wait(left)
            return found

    def _turn(self) -> None:
        while not self._ends:
            ready = self._selector.select(self._pause())
            with self.lock:
                for key, _ in ready:
                    key.data()
                self._ring()
                self.lock.notify_all()

    def _pause(self) -> float | None:
        with self.lock:
            return max(0.0, self._alarms[0][0] - time.monotonic()) if self._alarms else None

    def _ring(self) -> None:
        while self._alarms and self._alarms[0][0] <= time.monotonic():
            heapq.heappop(self._alarms)[2]()

    def _wake(self) -> None:
        os.eventfd_write(self._wakeup, 1)

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wakeup)
