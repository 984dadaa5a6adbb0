"""Copies of the database, made while it is in use, each a file that needs no other.

All of it takes as long as the database is large and is done beside the loop: SQLite lets go of
Python's lock while it copies and checks, and no writer waits for a reader (WAL).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from opmas.errors import DamagedError, StoreError
from opmas.store.check import CACHE, find_damage, read_only
from opmas.store.faults import translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COPY: Final = 0x4F504D43  # "OPMC" as application_id: the log of this file ended some time ago
PAGES: Final = 256  # 1 MiB a step
PAUSE: Final = 0.002  # seconds between steps: the disk is not ours alone


def copy(source: Path, target: Path, stopped: Callable[[], bool] = lambda: False) -> None:
    """Copy the database to a new file as it is at this moment, and check the copy.

    Raises `StoreError`, `DamagedError` when the copy is not sound and so the source is not.
    """

    def look(_status: int, _left: int, _all: int) -> None:
        if stopped():
            raise StoreError("cannot copy the database: the manager ends")

    with translated("copy"), closing(read_only(source)) as live:
        # A read transaction over all steps: what is written meanwhile does not begin them anew.
        live.execute("BEGIN")
        live.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as made:
            made.execute(CACHE)
            live.backup(made, pages=PAGES, progress=look, sleep=PAUSE)
            made.execute("PRAGMA journal_mode = DELETE")  # one file, with no -wal beside it
            made.execute(f"PRAGMA application_id = {COPY}")
    damage = find_damage(target, thorough=True, stopped=stopped)
    if damage:
        raise DamagedError(f"cannot copy the database: it is damaged: {damage[0]}")
