"""The manager's event log, followed once for all clients that wait for events.

One thread asks the manager in long-polls, only while somebody waits, and keeps the newest
events. A client holds its own position (a sequence number), so nothing here can lose or double
an event: `after` answers from what is kept, or says that the client must page the log itself.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import OpmasError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opmas.client.control import ManagerClient

logger = logging.getLogger(__name__)

Event = dict[str, Any]

KEPT: Final = 2000  # events; about 1 MB, and more than a burst of 500 agents that restart
PAGE: Final = 1000  # events; the most that the manager answers with
POLL: Final = 25.0  # seconds; the manager waits 60 at most
RETRY: Final = 0.5  # seconds between tries while the manager is away


class Feed:
    """Wakes those who wait for events and hands out the newest ones."""

    def __init__(self, connect: Callable[[], ManagerClient]) -> None:
        self._connect = connect
        self._news = threading.Condition()
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._floor = 0  # every event after it, up to `_last`, is kept
        self._last = 0
        self._logs = 0  # how many logs were seen: the manager may have lost its database
        self._followers = 0
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Tell whether the process is about to end."""
        return self._closed.is_set()

    @property
    def logs(self) -> int:
        """Return a number that changes when the log began anew: positions in it are void."""
        return self._logs

    def close(self) -> None:
        """Wake everyone who waits, for the last time."""
        self._closed.set()
        with self._news:
            self._news.notify_all()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Keep the log followed as long as the block runs."""
        with self._news:
            self._followers += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._news:
                self._followers -= 1

    def after(self, position: int) -> list[Event] | None:
        """Return the kept events after the position; None when they do not reach back to it."""
        with self._news:
            if position < self._floor:
                return None
            return [event for event in self._kept if event["sequence"] > position]

    def wait(self, position: int, seconds: float) -> None:
        """Return when there is an event after the position, or the time is over."""
        logs = self._logs
        with self._news:
            self._news.wait_for(
                lambda: self._last > position or self._logs != logs or self.closed, seconds
            )

    def _run(self) -> None:
        away = True
        with self._connect() as manager:
            while self._is_wanted():
                try:
                    if away:
                        self._begin(manager.call("host.status")["events"]["last"])
                        away = False
                    self._take(manager.call("event.list", after=self._last, limit=PAGE, wait=POLL))
                except OpmasError as error:
                    if not away:
                        logger.warning("events: %s; trying again", error.message)
                    away = True
                    self._closed.wait(RETRY)

    def _is_wanted(self) -> bool:
        with self._news:
            if self._followers and not self.closed:
                return True
            self._thread = None
            return False

    def _begin(self, last: int) -> None:
        """Start at the log's end; what lies before is paged by those who need it."""
        with self._news:
            if last < self._last:
                self._logs += 1
            self._kept.clear()
            self._floor = self._last = last
            self._news.notify_all()

    def _take(self, page: dict[str, Any]) -> None:
        with self._news:
            self._kept.extend(page["events"])
            if len(self._kept) == KEPT:
                self._floor = self._kept[0]["sequence"] - 1
            self._last = page["last"]
            self._news.notify_all()
