"""What a service tells systemd about itself: sd_notify(3), by way of sdnotify.

Never raises: a service that cannot talk to its supervisor goes on, and its watchdog decides.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

import sdnotify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEND_TIMEOUT_SECONDS: Final = 1.0
FEEDS_PER_PERIOD: Final = 3  # sd_watchdog_enabled(3) advises two; one more may be lost


class Notifier:
    """Talks to the supervisor of this process; does nothing when there is none."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._notifier: sdnotify.SystemdNotifier | None = None
        if environ.get("NOTIFY_SOCKET"):
            with contextlib.suppress(OSError):
                self._notifier = sdnotify.SystemdNotifier(debug=True)
                # PID 1 may be busy for seconds, and its queue full: the service must not hang.
                self._notifier.socket.settimeout(SEND_TIMEOUT_SECONDS)
        self._period = _watchdog_period(environ)
        self._fed_at = float("-inf")

    def ready(self) -> None:
        """Say that the service is up."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """Say in one short line what the service does; each change costs PID 1 work."""
        line = " ".join(text.split())
        # sdnotify writes latin-1, and drops what it cannot write without a word
        self._tell(f"STATUS={line.encode('ascii', 'replace').decode()}")

    def reloading(self) -> None:
        """Say that the service takes a new configuration; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={now}")  # the second: systemd 253 and later

    def stopping(self) -> None:
        """Say that the service is about to end."""
        self._tell("STOPPING=1")

    def extend_timeout(self, seconds: float) -> None:
        """Ask for so much time from now for what is under way."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def watchdog(self) -> None:
        """Feed the watchdog, when there is one and it is due."""
        now = self._now()
        if self._period and now - self._fed_at >= self._period / FEEDS_PER_PERIOD:
            self._fed_at = now
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Give the socket back."""
        if self._notifier is not None:
            self._notifier.socket.close()
            self._notifier = None

    def _tell(self, state: str) -> None:
        if self._notifier is not None:
            with contextlib.suppress(OSError):
                self._notifier.notify(state)


def _watchdog_period(environ: Mapping[str, str]) -> float:
    """Return the watchdog's period in seconds, 0 when it does not concern this process."""
    if environ.get("WATCHDOG_PID") not in {None, str(os.getpid())}:
        return 0.0
    try:
        return int(environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0
