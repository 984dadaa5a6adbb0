"""Numbered migrations: `schema/NNNN_name.sql`, each applied once, in order, in one transaction."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from opmas.errors import StoreError

if TYPE_CHECKING:
    import sqlite3


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date; `PRAGMA user_version` counts the migrations applied."""
    scripts = _scripts()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise StoreError(
            f"cannot use the database: its schema {version} is newer than this version's"
            f" {len(scripts)}: install the newer opmas-manager again"
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _scripts() -> list[str]:
    folder = resources.files("opmas.store") / "schema"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [f.read_text(encoding="utf-8") for f in files]
