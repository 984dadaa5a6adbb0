"""More time from systemd while the manager begins: a large database takes minutes to be checked.

The check is one call of SQLite, which says nothing until its end. So it is watched from beside it:
who goes on uses the processor, and a disk that hangs does not. Then nobody asks for more time, and
systemd ends the start as TimeoutStartSec= says.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.ports import Notifier

logger = logging.getLogger(__name__)

PERIOD: Final = 10.0  # seconds between two looks at whether it goes on
EXTENSION: Final = 60.0  # seconds that are asked for, from each look on: TimeoutStartSec=
LEAST: Final = 0.01  # seconds of the processor; a disk of 1 MB/s costs more, and a look much less


class Patience:
    """Asks for more time as long as something goes on, from entering to leaving."""

    def __init__(self, notifier: Notifier, work: Callable[[], float] = time.process_time) -> None:
        self._notifier = notifier
        self._work = work
        self._done = work()
        self._asked = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="patience", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> None:
        """Ask for more time when work was done since the last look."""
        before, self._done = self._done, self._work()
        if self._done - before < LEAST:
            return
        if not self._asked:
            logger.warning("the database is large, or its disk slow: it is still looked at")
        self._asked = True
        self._notifier.extend_timeout(EXTENSION)

    def _run(self) -> None:
        while not self._over.wait(PERIOD):
            self.look()
