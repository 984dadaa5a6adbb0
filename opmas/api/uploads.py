"""Bundles that clients sent, as files that the package worker can open: ID.opmas, mode 0600.

A file has its name only when it is whole and on the disk. While it is written it is a locked
`.ID.part`: one that is not locked was left by a process that was killed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from opmas.api.places import Places
from opmas.core.documents.sizes import format_size
from opmas.errors import BackendError, DiskSpaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AT_ONCE: Final = 4  # each holds a thread, and a disk has only so many writes
HELD: Final = 16  # whole ones; a change takes seconds
RESERVE: Final = 64 << 20  # bytes that stay free: the manager's database may be on the same disk
STRIDE: Final = 16 << 20  # bytes; page cache counts for the unit's memory until it is on the disk
WHOLE: Final = re.compile(r"([0-9a-f]{32})\.opmas")
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Uploads:
    """The files in one directory; raises `DiskSpaceError`, `BackendError` and 413."""

    def __init__(self, directory: str, limit: int) -> None:
        self._directory = Path(directory)
        self._limit = limit
        self._places = Places(AT_ONCE, "bundles are being uploaded")

    def receive(self, pieces: Iterable[bytes], length: int | None) -> str:
        """Write the pieces to a new file and return its id; what broke off leaves nothing.

        `length` is what the client announced: one that is too long is refused before it is read.
        """
        if length is not None and length > self._limit:
            raise self._too_large()
        upload = secrets.token_hex(16)
        with self._places.one(), self._translated():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            if len(self.held()) >= HELD:
                raise ServiceUnavailable(f"{HELD} uploaded bundles are not installed yet")
            self._check_room(length or 0)
            part = self._directory / f".{upload}.part"
            try:
                self._write(part, pieces)
                part.rename(self._path(upload))
                _sync(self._directory)
            except BaseException:
                part.unlink(missing_ok=True)
                self.discard(upload)
                raise
        return upload

    def held(self) -> dict[str, float]:
        """Return the ids of the whole files, and when each was made (as time.time)."""
        found = {}
        with suppress(FileNotFoundError), os.scandir(self._directory) as entries:
            for entry in entries:
                if match := WHOLE.fullmatch(entry.name):
                    with suppress(FileNotFoundError):  # it was done with in this moment
                        found[match[1]] = entry.stat(follow_symlinks=False).st_mtime
        return found

    def discard(self, upload: str) -> None:
        """Delete the file, if it is there."""
        self._path(upload).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what processes left that were killed while they wrote."""
        for part in self._directory.glob(".*.part"):
            with suppress(FileNotFoundError, BlockingIOError), part.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()

    def _path(self, upload: str) -> Path:
        return self._directory / f"{upload}.opmas"

    def _write(self, part: Path, pieces: Iterable[bytes]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(part, flags, 0o600), "wb") as file:  # noqa: PTH123 - Path knows no flags
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            received = written = 0
            for piece in pieces:
                received += len(piece)
                if received > self._limit:
                    raise self._too_large()
                file.write(piece)
                if received - written >= STRIDE:
                    self._check_room(0)
                    _write_back(file)
                    written = received
            _write_back(file)
            os.fsync(file.fileno())

    def _check_room(self, length: int) -> None:
        found = os.statvfs(self._directory)
        room = found.f_bavail * found.f_frsize
        if room < length + RESERVE:
            raise DiskSpaceError(
                f"cannot take the bundle: {format_size(room >> 20 << 20)} are free below"
                f" {self._directory}, and {format_size(RESERVE)} stay so"
            )

    def _too_large(self) -> RequestEntityTooLarge:
        return RequestEntityTooLarge(
            f"the bundle is larger than {format_size(self._limit)} (api.upload_limit)"
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = f"cannot keep the bundle in {self._directory}: {str(error.strerror).lower()}"
            kind = DiskSpaceError if error.errno in NO_ROOM else BackendError
            raise kind(reason) from error


def _write_back(file: IO[bytes]) -> None:
    file.flush()
    os.fdatasync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
