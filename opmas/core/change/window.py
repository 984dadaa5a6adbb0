"""How long a change is watched: by its size."""

from __future__ import annotations

from enum import StrEnum
from itertools import zip_longest
from typing import Final

SHORTEST: Final = 10.0  # seconds; below, hardly anything shows
LONGEST: Final = 600.0


class Size(StrEnum):
    """How much a change may break."""

    NONE = "none"  # nothing that runs is touched
    LIMITS = "limits"
    SETTINGS = "settings"
    CONFIG = "config"
    MICRO = "micro"
    MINOR = "minor"
    MAJOR = "major"


SECONDS: Final = {
    Size.NONE: 0.0,
    Size.LIMITS: 30.0,
    Size.SETTINGS: 60.0,
    Size.CONFIG: 60.0,
    Size.MICRO: 60.0,
    Size.MINOR: 120.0,
    Size.MAJOR: 300.0,
}
DEFAULT_WINDOW: Final = SECONDS[Size.CONFIG]
MIGRATING: Final = 2.0  # times as long when data is migrated, too


def size(before: tuple[int, ...], after: tuple[int, ...]) -> Size:
    """Return the size of an update from one release to another, by the first part that differs.

    A part that is missing is 0; the same release, rebuilt or of another pre-release, is a micro.
    """
    for place, (old, new) in enumerate(zip_longest(before, after, fillvalue=0)):
        if old != new:
            return (Size.MAJOR, Size.MINOR)[place] if place < 2 else Size.MICRO  # noqa: PLR2004
    return Size.MICRO


def window(
    size: Size, *, migrates: bool = False, factor: float = 1.0, wanted: float | None = None
) -> float:
    """Return for how many seconds to watch a change.

    `factor` is the host's setting changes.watch, 0 for never. `wanted` is the caller's own word:
    taken as it is, from 0 to LONGEST.
    """
    if wanted is not None:
        return min(max(wanted, 0.0), LONGEST)
    seconds = SECONDS[size] * (MIGRATING if migrates else 1.0) * factor
    return min(max(seconds, SHORTEST), LONGEST) if seconds > 0 else 0.0
