"""How the manager's database is opened to look into it: never to write, never to wait long."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

BUSY: Final = 0.3  # seconds; who holds the lock longer holds it for good
OPERATIONS: Final = 20_000  # of SQLite's machine between two looks at the clock


def connect(path: Path, until: float) -> sqlite3.Connection:
    """Open the database to read it, until then."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there")
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY, check_same_thread=False
    )
    connection.set_progress_handler(lambda: int(time.monotonic() > until), OPERATIONS)
    return connection
