"""A staging directory: where a version is made before one rename puts it in its place.

It lies in ROOT/.staging, on the file system of its place. Whoever fills it holds a lock on it, so
that what a dead job left can be told from what a live one makes.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from opmas.errors import BackendError, DiskSpaceError, OpmasError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER: Final = ".staging"
_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE


class Staging:
    """A new and locked staging directory; `directory` is readable for all only in its place."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        base = root / FOLDER
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = base / f"{name}-{secrets.token_hex(6)}"
        self.directory.mkdir(mode=0o700)
        self._handle = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove what is still there, and let go of it."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._handle)

    def place(self, final: Path) -> None:
        """Bring all of it to the disk, and put it in its place by one rename.

        What is there already is replaced in the same instant, and gone with `close`.
        """
        self.directory.chmod(0o755)
        _sync_all(self._handle)
        make_folder(final.parent)
        if os.path.lexists(final):
            _exchange(self.directory, final)
        else:
            self.directory.rename(final)
        sync_folder(final.parent)


@contextmanager
def staged(root: Path, name: str) -> Iterator[Staging]:
    """Make a staging directory that is gone in the end, unless it was put in its place."""
    with disk_errors(f"install {name}"):
        staging = Staging(root, name)
        try:
            yield staging
        finally:
            staging.close()


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn the errors of the disk into ours."""
    try:
        yield
    except OpmasError:
        raise
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        kind = DiskSpaceError if full else BackendError
        where = f": {error.filename}" if error.filename else ""
        raise kind(f"cannot {doing}: {(error.strerror or str(error)).lower()}{where}") from error


def sweep(root: Path) -> int:
    """Remove what dead jobs have left, and return how much that was."""
    base = root / FOLDER
    swept = 0
    with suppress(FileNotFoundError), os.scandir(base) as found:
        for entry in found:
            swept += _sweep(entry)
    return swept


def set_aside(root: Path, directory: Path) -> None:
    """Take the directory out of its place by one rename, and remove it."""
    base = root / FOLDER
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = base / f"{directory.parent.name}-{directory.name}-{secrets.token_hex(6)}"
    try:
        directory.rename(aside)
    except FileNotFoundError:
        return
    sync_folder(directory.parent)
    shutil.rmtree(aside, ignore_errors=True)  # the next sweep takes what is left


def make_folder(folder: Path) -> None:
    """Make the folder that holds the versions of a package, readable for all."""
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o755)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in the folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(entry: os.DirEntry[str]) -> int:
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)  # noqa: PTH108 - os.scandir has paths as text
        return 1
    handle = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry.path, ignore_errors=True)
    except BlockingIOError:  # its job lives
        return 0
    finally:
        os.close(handle)
    return 1


def _exchange(one: Path, other: Path) -> None:
    """Let the two change their places at once: renameat2(2), which Python does not have."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def _sync_all(handle: int) -> None:
    """Bring the whole file system to the disk: one commit instead of one for each of 5,000 files.

    Since Linux 5.8 syncfs(2) tells of every page that could not be written.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(handle) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
