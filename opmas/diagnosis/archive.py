"""The archive: one .tar.gz with one directory, bounded in size, written whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import zlib
from typing import TYPE_CHECKING, Final

from opmas.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path

LIMIT: Final = 5_000_000  # bytes of the archive
RESERVE: Final = 150_000  # for what is added last and for tar's own blocks
LEVEL: Final = 6
HEAD: Final = 1024  # bytes of tar for each file, before compression
MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700


class Archive:
    """Files of one archive, as far as there is room for them."""

    def __init__(self, top: str, now: float) -> None:
        self.top = top
        self._now = int(now)
        self._taken = 0
        self._files: dict[str, bytes] = {}

    @property
    def names(self) -> list[str]:
        """The names of the files in their order: who reads begins with README.txt."""
        return sorted(self._files, key=lambda name: ("/" in name, name))

    def add(self, path: str, content: bytes, limit: int = LIMIT - RESERVE) -> bool:
        """Add a file; return whether there was room for it."""
        # compressed alone it is no smaller than it will be with the others
        size = len(zlib.compress(content, LEVEL)) + HEAD // 4
        if self._taken + size > limit:
            return False
        self._taken += size
        self._files[path] = content
        return True

    def add_last(self, path: str, content: bytes) -> bool:
        """Add one of the files for which room is kept."""
        return self.add(path, content, LIMIT)

    def content(self) -> bytes:
        """Return the archive's bytes."""
        plain = io.BytesIO()
        with tarfile.TarFile(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
            top = self._entry("", DIRECTORY_MODE, 0)
            top.type = tarfile.DIRTYPE
            tar.addfile(top)
            for name in self.names:
                content = self._files[name]
                tar.addfile(self._entry(f"/{name}", MODE, len(content)), io.BytesIO(content))
        return gzip.compress(plain.getvalue(), LEVEL, mtime=self._now)

    def _entry(self, path: str, mode: int, size: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(f"{self.top}{path}")
        info.size, info.mode, info.mtime = size, mode, self._now
        info.uname = info.gname = "root"
        return info


def write_archive(path: Path, content: bytes) -> None:
    """Make `path` the archive, readable by its owner alone; whole at any moment."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(beside, flags, MODE)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no Path
                os.fchmod(file.fileno(), MODE)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        _sync(path.parent)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BackendError(
            f"cannot write {path}: {reason}: choose another with --output"
        ) from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
