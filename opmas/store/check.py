"""Whether a database file is sound, seen from outside while the manager may be using it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from opmas.errors import DamagedError
from opmas.store.faults import translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUSY_TIMEOUT: Final = 5.0  # seconds
CACHE: Final = "PRAGMA cache_size = -512"  # KiB; the pages come in order, none is needed twice
OPS: Final = 20_000  # of SQLite's machine between two looks at whether to stop: some milliseconds
OURS: Final = {"agents", "events"}  # tables


class Contents(NamedTuple):
    """What is in a file: the schema's number, the event log's last number, whether it is empty."""

    schema: int
    last: int
    is_empty: bool


def find_damage(
    path: Path, *, thorough: bool = False, stopped: Callable[[], bool] = lambda: False
) -> list[str]:
    """Return what SQLite finds wrong in the file, nothing when it is sound; reads only.

    The thorough check compares each index with its table too. Raises `StoreError` when the file
    cannot be read at all, or the check was stopped.
    """
    pragma = "integrity_check" if thorough else "quick_check"
    try:
        with translated("read", f"the database {path}"), closing(read_only(path)) as connection:
            connection.set_progress_handler(stopped, OPS)
            rows = connection.execute(f"PRAGMA {pragma}(10)").fetchall()
    except DamagedError as error:
        cause = error.__cause__
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise
        return [str(cause)]
    return [text for (text,) in rows if text != "ok"]


def read_contents(path: Path) -> Contents:
    """Return what is in the file, or raise `StoreError`; it is damaged when it is not ours."""
    with translated("open"), closing(read_only(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        if not names and not schema:
            return Contents(0, 0, is_empty=True)
        if not names >= OURS:
            raise DamagedError("cannot open the database: it is of another program")
        sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
        found = connection.execute(sql).fetchone()
    return Contents(schema, found[0] if found else 0, is_empty=False)


def read_only(path: Path) -> sqlite3.Connection:
    """Open the file to read it, beside whoever uses it."""
    uri = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
    connection.execute(CACHE)
    return connection
