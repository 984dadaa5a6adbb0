"""Copies of directories that belong to somebody who is not trusted: an agent.

What an agent left in its directory can be anything, and can change while it is read. No link in
it is followed, nothing outside is reached: each entry is opened below its open directory and
looked at after it was opened. Depth and number of the entries are bounded, and so is the memory.

Contents are shared by reflink where the file system can, and copied where not. Never by hard
link: a program that writes into its file in place, as SQLite does, would write into the copy.

Kept: owner, mode, times, extended attributes of users, ACLs, holes, symbolic links as such,
hard links among the files. Left out: sockets, FIFOs, devices. Not crossed: file systems.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from opmas.errors import InvalidError
from opmas.work.kernel import clone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPTH_LIMIT: Final = 64  # directories in each other; each costs two open files and some stack
ENTRY_LIMIT: Final = 1_000_000
LINKED_LIMIT: Final = 64 << 20  # bytes of memory for files with several names
ENTRY_MEMORY: Final = 300  # of these for each, besides its path
CHUNK: Final = 1 << 20
ENTRIES_AT_ONCE: Final = 10_000  # that are being removed: a million would take 150 MB
BLOCK: Final = 512  # bytes of st_blocks, whatever the file system's own are
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a FIFO that has taken the place of a file must not hold the reader up
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# security.* is the kernel's business, trusted.* no agent's
_KEPT_ATTRIBUTES: Final = ("user.", "system.posix_acl_")


@dataclass(slots=True)
class Size:
    """How much is in a directory: what its files take of the disk, and how many entries."""

    bytes: int = 0
    entries: int = 0


@contextmanager
def opened(path: str, *, within: int | None = None) -> Iterator[int]:
    """Give the directory as an open file; a link in its place is refused."""
    descriptor = os.open(path, _DIRECTORY, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def measure(directory: int) -> Size:
    """Return how much is in the open directory; `InvalidError` when it is beyond the bounds."""
    size = Size()
    _measure(directory, os.fstat(directory).st_dev, size, 0)
    return size


def _measure(directory: int, device: int, size: Size, depth: int) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                size.entries += 1
                size.bytes += found.st_blocks * BLOCK
                _check(size.entries, depth)
                if stat.S_ISDIR(found.st_mode):
                    _check_device(found, device, entry.name)
                    with opened(entry.name, within=directory) as below:
                        _measure(below, device, size, depth + 1)


def _check(entries: int, depth: int) -> None:
    if entries > ENTRY_LIMIT:
        raise InvalidError(f"cannot copy the directory: it has more than {ENTRY_LIMIT} entries")
    if depth > DEPTH_LIMIT:
        raise InvalidError(
            f"cannot copy the directory: it is more than {DEPTH_LIMIT} directories deep"
        )


def _check_device(found: os.stat_result, device: int, name: str) -> None:
    if found.st_dev != device:
        raise InvalidError(
            f"cannot copy the directory: another file system is mounted at {name!r} in it"
        )


class Copier:
    """Copies one directory; `done` is told how many bytes are copied."""

    def __init__(self, target: int, done: Callable[[int], None] = lambda _bytes: None) -> None:
        self._root = target
        self._done = done
        self._copied = Size()
        self._clones = True  # until the file system says that it cannot
        self._first_names: dict[tuple[int, int], str] = {}  # of files with several names
        self._remembered = 0
        self._device = 0

    def copy(self, source: int) -> Size:
        """Copy all that is in the open directory, and its own attributes, to the target."""
        self._device = os.fstat(source).st_dev
        self._directory(source, self._root, PurePath(), 0)
        return self._copied

    def _directory(self, source: int, target: int, path: PurePath, depth: int) -> None:
        with os.scandir(source) as entries:
            for entry in entries:
                self._copied.entries += 1
                _check(self._copied.entries, depth)
                with suppress(FileNotFoundError):  # it went while we were reading
                    self._entry(entry.name, source, target, path, depth)
        _keep_attributes(os.fstat(source), source, target)

    def _entry(self, name: str, source: int, target: int, path: PurePath, depth: int) -> None:
        mode = os.lstat(name, dir_fd=source).st_mode
        if stat.S_ISDIR(mode):
            with opened(name, within=source) as inner:
                _check_device(os.fstat(inner), self._device, name)
                os.mkdir(name, 0o700, dir_fd=target)
                with opened(name, within=target) as copy:
                    self._directory(inner, copy, path / name, depth + 1)
        elif stat.S_ISREG(mode):
            self._file(name, source, target, path)
        elif stat.S_ISLNK(mode):
            _link(name, source, target)

    def _file(self, name: str, source: int, target: int, path: PurePath) -> None:
        descriptor = os.open(name, _FILE, dir_fd=source)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):  # changed since we looked
                return
            if found.st_nlink > 1 and self._is_linked(found, name, target, path):
                return
            copy = os.open(name, _NEW_FILE, 0o600, dir_fd=target)
            try:
                self._content(descriptor, copy, found)
                _keep_attributes(found, descriptor, copy)
            finally:
                os.close(copy)
        finally:
            os.close(descriptor)

    def _is_linked(self, found: os.stat_result, name: str, target: int, path: PurePath) -> bool:
        """Give a file that was copied under another name this one as well."""
        own = str(path / name)
        first = self._first_names.setdefault((found.st_dev, found.st_ino), own)
        if first is own:
            self._remembered += len(own) + ENTRY_MEMORY
            if self._remembered > LINKED_LIMIT:
                raise InvalidError(
                    "cannot copy the directory: too many of its files have several names"
                )
            return False
        os.link(first, name, src_dir_fd=self._root, dst_dir_fd=target, follow_symlinks=False)
        return True

    def _content(self, source: int, target: int, found: os.stat_result) -> None:
        self._clones = self._clones and (found.st_size == 0 or clone(source, target))
        if self._clones:
            self._tell(found.st_blocks * BLOCK)
            return
        end = found.st_size  # what an agent writes meanwhile, without end, is not copied
        os.ftruncate(target, end)
        start = 0
        while (start := _data_from(source, start, end)) < end:
            stop = min(os.lseek(source, start, os.SEEK_HOLE), end)
            while start < stop:
                chunk = os.pread(source, min(CHUNK, stop - start), start)
                if not chunk:  # truncated since
                    return
                os.pwrite(target, chunk, start)
                start += len(chunk)
                self._tell(len(chunk))

    def _tell(self, count: int) -> None:
        self._copied.bytes += count
        self._done(self._copied.bytes)


def _data_from(source: int, start: int, end: int) -> int:
    """Return where data begins from `start` on; `end` when only a hole follows."""
    try:
        return os.lseek(source, start, os.SEEK_DATA)
    except OSError:  # ENXIO
        return end


def _link(name: str, source: int, target: int) -> None:
    found = os.lstat(name, dir_fd=source)
    os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
    times = (found.st_atime_ns, found.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _keep_attributes(found: os.stat_result, source: int, target: int) -> None:
    os.fchown(target, found.st_uid, found.st_gid)  # first: it clears the set-user-ID bits
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    for name in _attributes(source):
        if name.startswith(_KEPT_ATTRIBUTES):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _attributes(source: int) -> list[str]:
    try:
        return os.listxattr(source)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def remove_tree(name: str, within: int) -> None:
    """Remove the entry of the open directory, whatever is in it; none is fine.

    Directories below it are moved up before they are emptied: however deep an agent made them,
    it takes neither stack nor open files.
    """
    try:
        found = os.lstat(name, dir_fd=within)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=within)
        return
    with opened(name, within=within) as root:
        _empty(root)
    os.rmdir(name, dir_fd=within)


def _empty(root: int) -> None:
    moved = secrets.token_hex(8)  # no name that an agent can have taken before
    count = 0
    for name, is_directory in _entries(root):
        if not is_directory:
            os.unlink(name, dir_fd=root)
            continue
        with opened(name, within=root) as below:
            for inner, holds_more in _entries(below):
                if holds_more:
                    count += 1
                    os.rename(inner, f".{moved}.{count}", src_dir_fd=below, dst_dir_fd=root)
                else:
                    os.unlink(inner, dir_fd=below)
        os.rmdir(name, dir_fd=root)


def _entries(directory: int) -> Iterator[tuple[str, bool]]:
    """Yield the entries until there are none: whoever asks removes each; some at a time."""
    while True:
        with os.scandir(directory) as entries:
            some = [
                (e.name, e.is_dir(follow_symlinks=False)) for e in islice(entries, ENTRIES_AT_ONCE)
            ]
        if not some:
            return
        yield from some
