"""Calls of Linux that Python does not have; imported only by jobs that need them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from typing import Final

FICLONE: Final = 0x40049409  # ioctl_ficlonerange(2)
RENAME_EXCHANGE: Final = 2  # rename(2)

# Not the same file system, not one that can, or not this pair of files.
_NO_CLONE: Final = {
    errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM,
    errno.ETXTBSY,
}  # fmt: skip

_libc: Final = ctypes.CDLL(None, use_errno=True)


def exchange(directory: int, one: str, other: str) -> None:
    """Let two entries of the open directory change places, in one step."""
    names = (os.fsencode(one), os.fsencode(other))
    if _libc.renameat2(directory, names[0], directory, names[1], RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), one)


def sync_file_system(descriptor: int) -> None:
    """Bring all that was written to the file system of the open file to the disk."""
    if _libc.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def clone(source: int, target: int) -> bool:
    """Make the target share the source's blocks until one is written; whether it could be."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True
