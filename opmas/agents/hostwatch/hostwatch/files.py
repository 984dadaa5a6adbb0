"""Reading the small files of /proc and /sys."""

from __future__ import annotations

import errno
import os

# Answers that mean "this host has no such reading": no file, a driver without it (ENODEV, ENXIO,
# EOPNOTSUPP), a sensor with nothing to tell just now (EAGAIN, EIO, EINVAL, ENODATA, EBUSY).
ABSENT = frozenset(
    {
        errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP, errno.EAGAIN,
        errno.EIO, errno.EINVAL, errno.ENODATA, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip

CHUNK = 65536


def read_text(path: str) -> str | None:
    """Return the file's text, or None when this host has no such reading.

    Any other error, such as a missing permission, raises OSError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        _expect_absent(error)
        return None
    try:
        chunks = [os.read(fd, CHUNK)]
        while chunks[-1]:
            chunks.append(os.read(fd, CHUNK))
    except OSError as error:
        error.filename = path  # read(2) does not know it
        _expect_absent(error)
        return None
    finally:
        os.close(fd)
    return b"".join(chunks).decode("utf-8", "replace")


def list_names(path: str) -> list[str]:
    """Return the names in a directory, sorted; none when there is no such directory."""
    try:
        return sorted(os.listdir(path))  # noqa: PTH208 (pathlib costs 1.5 MB of memory)
    except OSError as error:
        _expect_absent(error)
        return []


def _expect_absent(error: OSError) -> None:
    if error.errno not in ABSENT:
        raise error
