"""How much room a file system has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Space:
    """The room that is left for users other than root."""

    free_bytes: int
    fraction: float


def read_space(path: Path) -> Space | None:
    """Return the room of the file system that the path is on, or None when it cannot be asked.

    No file can be made without an inode: when they are used up there is no room.
    """
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    if found.f_files and not found.f_favail:
        return Space(0, 0.0)
    # Root's reserve is neither free nor theirs, as in df(1).
    usable = found.f_blocks - found.f_bfree + found.f_bavail
    return Space(found.f_bavail * found.f_frsize, found.f_bavail / usable if usable else 0.0)
