"""The programs outside of a package that its command names, such as one that Debian ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def stamp(command: Sequence[str]) -> str:
    """Return what changes with the files that the command names by absolute paths.

    An agent that runs on after its program was upgraded is then known to need a restart.
    """
    return "\0".join(_stamp(word) for word in command if word.startswith("/"))


def _stamp(path: str) -> str:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return f"{path}: not there"
    # no inode number: the same file unpacked again by dpkg has another
    return f"{path}: {found.st_size} {found.st_mtime_ns}"
