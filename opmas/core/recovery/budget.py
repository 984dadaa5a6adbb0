"""How many agents OPMAS starts again by itself, on the whole host: a token bucket.

When 500 agents lose one server, their retries are spread instead of made at once. Each takes a
place: it has a token now, or the instant at which one is there for it. An operator's start, a boot
and the end of a wait for a dependency need none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Budget:
    """So many restarts at once, and so many more a minute; 0 a minute is without a limit.

    `spent_until` is when the bucket is full again.
    """

    burst: int = 20
    per_minute: float = 30.0
    spent_until: float = 0.0

    def at(self, now: float) -> float:
        """Return when the next restart may be: now, or later."""
        if self.per_minute <= 0:
            return now
        spare = (self.burst - 1) * self._interval
        # what is left of a sum of floats is no reason to wait
        at = max(self.spent_until, now) - spare
        return at if at - now > self._interval * 1e-6 else now

    def taken(self, now: float) -> Budget:
        """Return the budget after one more restart."""
        if self.per_minute <= 0:
            return self
        return replace(self, spent_until=max(self.spent_until, now) + self._interval)

    def is_free(self, now: float) -> bool:
        """Return whether a restart may be at once."""
        return self.at(now) <= now

    def resumed(self, places: Iterable[float]) -> Budget:
        """Return the budget in which the last of these places in the line was taken."""
        last = max(places, default=None)
        if last is None or self.per_minute <= 0:
            return self
        return replace(self, spent_until=last + self.burst * self._interval)

    @property
    def _interval(self) -> float:
        return 60.0 / self.per_minute
