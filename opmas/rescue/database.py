"""The manager's database, brought back to what the version before can read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from opmas.rescue.documents import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BESIDE: Final = ("-wal", "-shm")


def schema_of(path: Path) -> int | None:
    """Return how many migrations the database went through; None when it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as opened:
            (version,) = opened.execute("PRAGMA user_version").fetchone()
            return int(version)
    except (sqlite3.Error, ValueError):
        return None


def is_sound(path: Path) -> bool:
    """Return whether SQLite finds nothing wrong with the file."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            found = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        return False
    return bool(found) and found[0] == "ok"


def bring_back(path: Path, known: int, backups: Iterable[Path], mark: str) -> str:
    """Put the newest backup that the version before can read in the database's place.

    Nothing is done when it can read the database as it is; what is replaced stays beside it, with
    `mark` in its name. Raises OSError. Return what was done, or nothing.
    """
    beside = _beside(path)
    if beside.exists() and not path.exists():  # killed between the two renames below
        beside.rename(path)
    now = schema_of(path)
    if now is None or now <= known:
        return ""
    for backup in newest_first(backups):
        found = schema_of(backup)
        if found is not None and found <= known and is_sound(backup):
            aside = _exchange(path, backup, mark)
            return f"the database is {backup} again, of schema {found}; schema {now} is {aside}"
    return f"no backup of the database has schema {known} or less: it stays at schema {now}"


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are there, the newest first."""
    found = [(path.stat().st_mtime_ns, path) for path in paths if path.is_file()]
    return [path for _, path in sorted(found, reverse=True)]


def _exchange(path: Path, backup: Path, mark: str) -> Path:
    beside = _beside(path)
    shutil.copyfile(backup, beside)
    beside.chmod(path.stat().st_mode & 0o7777)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    aside = path.with_name(f"{path.name}.{mark}")
    for end in BESIDE:  # with the name of its database SQLite finds it again
        log = path.with_name(path.name + end)
        if log.exists():
            log.rename(aside.with_name(aside.name + end))
    path.rename(aside)
    beside.rename(path)
    sync_directory(path.parent)
    return aside


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")
