"""Growing pauses between tries: exponential, capped, with jitter."""

from __future__ import annotations

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Callable

# 2 ** n overflows a float past n = 1023; long before, the cap decides.
_MAX_EXPONENT = 32


class Backoff:
    """Gives the pause before each next try; `jitter` returns a number in [0, 1)."""

    __slots__ = ("_first", "_jitter", "_longest", "failures")

    def __init__(self, first: float, longest: float, jitter: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self.failures = 0

    def pause(self) -> float:
        """Count one more failure and return the seconds to wait: 50 to 100 % of the step."""
        step = min(self._first * 2.0 ** min(self.failures, _MAX_EXPONENT), self._longest)
        self.failures += 1
        return step * (0.5 + 0.5 * self._jitter())

    def reset(self) -> None:
        """Forget the failures: the last try succeeded."""
        self.failures = 0
