"""How long an uploaded bundle stays: until its change has ended, and an hour at most."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from opmas.core.change.change import FINAL
from opmas.errors import OpmasError, UnknownChangeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.api.uploads import Uploads
    from opmas.client.control import ManagerClient

logger = logging.getLogger(__name__)

LONGEST: Final = 3600.0  # seconds
CHECK_EVERY: Final = 5.0  # seconds


class Retention:
    """Deletes uploaded bundles, in a thread that runs only while there are some."""

    def __init__(
        self,
        uploads: Uploads,
        connect: Callable[[], ManagerClient],
        check_every: float = CHECK_EVERY,
    ) -> None:
        self._uploads = uploads
        self._connect = connect
        self._check_every = check_every
        self._changes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def begin(self) -> None:
        """Take care of what an earlier process left."""
        try:
            self._uploads.sweep()
            if self._uploads.held():
                self._start()
        except OSError as error:
            logger.warning("uploads: cannot tidy up: %s", error.strerror)

    def keep(self, upload: str, change: int | None = None) -> None:
        """Keep the bundle until the change has ended; an hour when nobody knows its change."""
        with self._lock:
            if change is not None:
                self._changes[upload] = change
        self._start()

    def close(self) -> None:
        """End; the next process goes on."""
        self._closed.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        with self._connect() as manager:
            while self._has_work():
                try:
                    self._check(manager)
                except OSError as error:
                    logger.warning("uploads: cannot tidy up: %s", error.strerror)
                self._closed.wait(self._check_every)

    def _has_work(self) -> bool:
        with self._lock:
            if self._uploads.held() and not self._closed.is_set():
                return True
            self._changes.clear()
            self._thread = None
            return False

    def _check(self, manager: ManagerClient) -> None:
        for upload, made_at in self._uploads.held().items():
            is_old = time.time() - made_at > LONGEST
            if is_old or self._has_ended(manager, self._changes.get(upload)):
                self._uploads.discard(upload)
                self._changes.pop(upload, None)

    def _has_ended(self, manager: ManagerClient, change: int | None) -> bool:
        if change is None:
            return False
        try:
            return manager.call("change.show", id=change)["state"] in FINAL
        except UnknownChangeError:
            return True
        except OpmasError:  # the manager is away, and goes on with the change when it is back
            return False
