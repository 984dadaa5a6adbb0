"""What is remembered of a version or a configuration that was undone: not to be tried again by
itself for a while, longer each time.

Whoever asks for it by hand gets it: this is for what OPMAS does by itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

FIRST: Final = 3600.0  # seconds
LONGEST: Final = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class Bad:
    """How often something was undone, until when it is barred (seconds since 1970), and why."""

    count: int
    until: float
    cause: str


def key(package: str, version: str, config_digest: str = "") -> str:
    """Return what a memory is kept under: a version alone, or with one configuration."""
    return "/".join((package, version, config_digest))


def remember(bad: Bad | None, now: float, cause: str = "") -> Bad:
    """Return the memory after it was undone once more; `now` in seconds since 1970."""
    count = 1 if bad is None else bad.count + 1
    delay = min(FIRST * 2.0 ** min(count - 1, 32), LONGEST)  # clamped: 2.0 ** 1024 overflows
    return Bad(count, now + delay, cause)


def is_barred(bad: Bad | None, now: float) -> bool:
    """Return whether it may not be tried by itself now.

    It is never barred for more than LONGEST, however far the clock was set back.
    """
    return bad is not None and bad.until - LONGEST <= now < bad.until


def dump_bad(bad: Bad) -> dict[str, Any]:
    """Return the memory as a JSON object."""
    return asdict(bad)


def load_bad(saved: dict[str, Any]) -> Bad:
    """Return the memory that was saved."""
    return Bad(count=saved["count"], until=saved["until"], cause=saved["cause"])
