"""Waits that double, up to a longest one."""

from __future__ import annotations

import time


class Backoff:
    """When to try again: at once, then after waits that double."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self.wait = first
        self.due_at = 0.0

    def failed(self) -> None:
        """Put the next try off."""
        self.due_at = time.monotonic() + self.wait
        self.wait = min(self.wait * 2, self._longest)

    def reset(self) -> None:
        """Start anew: the next try is due at once."""
        self.wait = self._first
        self.due_at = 0.0
