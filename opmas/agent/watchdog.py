"""When systemd's watchdog is to be fed: pure, told the time.

systemd.service(5) WatchdogSec=: the unit is killed when no WATCHDOG=1 came for the whole period;
sd_watchdog_enabled(3) advises half of it, a third leaves room for one lost datagram.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER = float("inf")


class Watchdog:
    """Remembers when the watchdog was fed; `period` None: there is none."""

    __slots__ = ("_fed_at", "period")

    def __init__(self, period: float | None) -> None:
        self.period = period
        self._fed_at: float | None = None

    def next_at(self) -> float:
        """Return when it is next to be fed."""
        if self.period is None:
            return NEVER
        return 0.0 if self._fed_at is None else self._fed_at + self.period / 3

    def is_due(self, now: float) -> bool:
        """Return whether a third of the period has gone since it was fed."""
        return now >= self.next_at()

    def fed(self, now: float) -> None:
        """Note that it was fed."""
        self._fed_at = now


def watchdog_period(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds that systemd gives this process, or None without a watchdog."""
    text = environ.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or int(text) == 0:
        return None
    # sd_watchdog_enabled(3): a child that inherits the environment is not watched.
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1e6
