"""What was learned of agents, in the table `learned`: one JSON document each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping


def read(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return the documents by agent; one that is no JSON object is left out."""
    found = {}
    for agent, text in connection.execute("SELECT agent, document FROM learned"):
        try:
            document = json.loads(text)
        except ValueError:
            continue
        if isinstance(document, dict):
            found[agent] = document
    return found


def write(
    connection: sqlite3.Connection,
    documents: Mapping[str, Mapping[str, Any]],
    gone: Iterable[str],
    at: str,
) -> None:
    """Save these documents, and forget the agents that are gone; within a transaction."""
    connection.executemany("DELETE FROM learned WHERE agent = ?", [(name,) for name in gone])
    rows = [
        (name, json.dumps(document, separators=(",", ":")), at)
        for name, document in documents.items()
    ]
    connection.executemany("INSERT OR REPLACE INTO learned VALUES (?, ?, ?)", rows)
