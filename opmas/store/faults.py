"""What SQLite and the disk say is wrong, as errors that say what can be done about it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from typing import TYPE_CHECKING, Final

from opmas.errors import DamagedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIMARY: Final = 0xFF  # of an extended result code: https://sqlite.org/rescode.html
# What no second try mends; a lock, a full disk or a read error may pass.
DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}


class FullError(StoreError):
    """There is no room on the disk for it."""


class NewerError(StoreError):
    """The database is of a newer version of OPMAS."""


@contextlib.contextmanager
def translated(verb: str, what: str = "the database") -> Iterator[None]:
    """Raise `StoreError` for what SQLite or the disk refuses in the block."""
    try:
        yield
    except sqlite3.Error as error:
        raise _kind(error)(f"cannot {verb} {what}: {error}") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise FullError(f"cannot {verb} {what}: the disk is full") from error
        raise StoreError(f"cannot {verb} {what}: {error.strerror or error}") from error


def _kind(error: sqlite3.Error) -> type[StoreError]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return StoreError
    if code & PRIMARY in DAMAGE:
        return DamagedError
    # The second: the file that the write-ahead log is shared by cannot grow.
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}:
        return FullError
    return StoreError
