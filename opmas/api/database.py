"""The API's own database: SQLite with numbered migrations, one connection with a lock.

Plain SQL that PostgreSQL understands too, but for the pragmas here. The connection is opened at
the first use, brought to the newest schema then, and opened again after any failure. A process
must not open it before it forks (sqlite.org/howtocorrupt.html 2.6).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA: Final = Path(__file__).parent / "schema"
BUSY_TIMEOUT: Final = 5.0  # seconds; `opmas token` and the service share the file


class Database:
    """Runs SQL in the file at `path`; raises `StoreError`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def run(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Run one statement, commit it, and return its rows."""
        with self._lock, self._translated():
            cursor = self._open().execute(sql, values)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        with self._lock:
            self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                self.path, BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            _migrate(self._connection)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # the caller asked for what is there already: it decides
        except (sqlite3.Error, OSError) as error:
            self._drop()
            reason = (error.strerror or "").lower() if isinstance(error, OSError) else str(error)
            raise StoreError(f"cannot use the database {self.path}: {reason}") from error


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply the numbered scripts that the database has not seen, in one transaction."""
    scripts = {int(path.name[:4]): path for path in sorted(SCHEMA.glob("[0-9]*.sql"))}
    newest, version = max(scripts), _version(connection)
    if version > newest:
        raise sqlite3.DatabaseError(f"it is of a newer version of OPMAS (schema {version})")
    if version == newest:
        return
    connection.execute("BEGIN IMMEDIATE")  # of two processes, one waits and finds it done
    try:
        for number in range(_version(connection) + 1, newest + 1):
            for statement in scripts[number].read_text(encoding="utf-8").split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {newest}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
