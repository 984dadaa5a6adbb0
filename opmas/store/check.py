"""Whether a database file is sound, seen from outside while the manager may be using it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from opmas.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT = 5.0  # seconds


def find_damage(path: Path) -> list[str]:
    """Return what SQLite finds wrong in the file, nothing when it is sound; reads only.

    Raises `StoreError` when the file cannot be read at all.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)) as connection:
            rows = connection.execute("PRAGMA quick_check(10)").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            return [str(error)]
        raise StoreError(f"cannot read the database {path}: {error}") from error
    return [text for (text,) in rows if text != "ok"]
