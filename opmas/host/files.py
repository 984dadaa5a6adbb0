"""Files that are whole at any moment: written beside, synced, renamed, the directory synced."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, content: str, mode: int = 0o644) -> bool:
    """Make `path` hold `content`, and return whether that changed it.

    After a kill or a power cut at any point the file is the old or the new one. Raises OSError.
    """
    encoded = content.encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == encoded and path.stat().st_mode & 0o7777 == mode:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")  # a name that systemd does not take for a drop-in
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 -- a descriptor, opened without links
            file.write(encoded)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return True


def remove_file(path: Path) -> None:
    """Delete the file, and its directory when that is empty then; nothing is there: fine."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: somebody else's files are in it
        path.parent.rmdir()


def sync_directory(path: Path) -> None:
    """Bring the directory's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
