"""Lets systemd wait for a job as long as it goes on.

The job's unit has a short start timeout, and each sign of progress extends it (EXTEND_TIMEOUT_USEC
of sd_notify(3)): a copy of 100 GB has its hours, and a worker that hangs or is stopped is ended
within minutes, so that the agent that waits for it is not down for longer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opmas.systemd.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable

SILENCE: Final = 300.0  # seconds without a sign; as TimeoutStartSec= of the units
APART: Final = 10.0  # seconds between two signs: each costs PID 1 work


class Patience:
    """Tells systemd that the job goes on."""

    def __init__(self, notifier: Notifier, now: Callable[[], float] = time.monotonic) -> None:
        self._notifier = notifier
        self._now = now
        self._next = float("-inf")

    def __call__(self) -> None:
        """Say so, when it was not said just now."""
        now = self._now()
        if now >= self._next:
            self._next = now + APART
            self._notifier.extend_timeout(SILENCE)


go_on: Final = Patience(Notifier())  # of this process, which does one job
