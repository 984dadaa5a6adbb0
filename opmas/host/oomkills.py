"""How often the kernel's out-of-memory killer has killed on this machine since it was booted."""

from __future__ import annotations

import os
from typing import Final

PLACE: Final = "/proc/vmstat"
READ_MAX: Final = 32 * 1024  # bytes; it has some 200 lines


def read_oom_kills(place: str = PLACE) -> int | None:
    """Return the count, of all control groups and of the whole machine; None: nobody says."""
    try:
        file = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(file, READ_MAX)
        finally:
            os.close(file)
        return int(text.partition(b"\noom_kill ")[2].split(None, 1)[0])
    except (OSError, ValueError, IndexError):
        return None
