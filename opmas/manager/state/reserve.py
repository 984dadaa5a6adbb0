"""Room on the disk that is kept back: given up when the disk is full, so that decisions go on."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from opmas.host.files import sync_directory
from opmas.host.space import read_space

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

SIZE: Final = 8 * 1024**2  # bytes: twice what the write-ahead log holds as a rule
MARGIN: Final = 32 * 1024**2  # bytes that must be free beside it


class Reserve:
    """A file of so many bytes, really allocated."""

    def __init__(self, path: Path, size: int = SIZE, margin: int = MARGIN) -> None:
        self._path = path
        self._size = size
        self._margin = margin

    @property
    def is_there(self) -> bool:
        """Whether there is something to give up."""
        return self._path.exists()

    @property
    def bytes(self) -> int:
        """How much it keeps back."""
        return self._size

    def has_room(self) -> bool:
        """Return whether the disk has room for it, and some beside."""
        space = read_space(self._path.parent)
        return space is not None and space.free_bytes >= self._size + self._margin

    def make(self) -> bool:
        """Return whether it is there, made now if the disk has room for it."""
        if self.is_there:
            return True
        if not self.has_room():
            return False
        try:
            self._allocate()
        except OSError as error:
            logger.info("no room is kept back in %s: %s", self._path, error.strerror)
            return False
        return True

    def give_up(self) -> bool:
        """Return whether there was something to give up; it is free now."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def _allocate(self) -> None:
        beside = self._path.with_name(f".{self._path.name}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
            os.fsync(descriptor)
            beside.rename(self._path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        sync_directory(self._path.parent)
