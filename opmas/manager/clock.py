"""The time: monotonic for decisions, UTC for people."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return seconds that only go forward, within one boot."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Return the wall time."""
        return datetime.now(UTC)

    def at(self, monotonic: float) -> datetime:
        """Return the wall time of a monotonic instant, by the clocks as they are now."""
        return self.utc() - timedelta(seconds=self.monotonic() - monotonic)


def rfc3339(instant: datetime) -> str:
    """Return the instant as text, always with microseconds so that texts sort like times."""
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
