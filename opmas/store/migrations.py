"""Numbered migrations: `schema/NNNN_name.sql`, each applied once, in order, in one transaction."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from opmas.store.faults import NewerError

if TYPE_CHECKING:
    import sqlite3
    from importlib.resources.abc import Traversable


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date; `PRAGMA user_version` counts the migrations applied."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    files = _files()
    if version > len(files):
        raise NewerError(
            f"cannot use the database: its schema {version} is newer than this version's"
            f" {len(files)}: install the newer opmas-manager again"
        )
    for number, file in enumerate(files[version:], start=version + 1):
        script = file.read_text(encoding="utf-8")
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def newest_schema() -> int:
    """Return the number of the schema that this version uses."""
    return len(_files())


def _files() -> list[Traversable]:
    folder = resources.files("opmas.store") / "schema"
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
