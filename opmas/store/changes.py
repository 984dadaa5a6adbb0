"""The tables of changes, of what was undone and of held packages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opmas.store.rows import Batch, ChangeQuery, ChangeRow

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "id, state, package, document, created_at, updated_at, ended_at"


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write the batch's part that is about changes, inside its transaction."""
    run = connection.execute
    for row in batch.changes:
        values = (row.id, row.state, row.package, _dump(row.document))
        run(
            f"INSERT INTO changes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- a constant
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document,"
            " updated_at = excluded.updated_at, ended_at = excluded.ended_at",
            (*values, row.created_at, row.updated_at, row.ended_at),
        )
        names = [(agent, row.id) for agent in row.agents]
        connection.executemany("INSERT OR IGNORE INTO change_agents VALUES (?, ?)", names)
    if batch.bad is not None:
        run("DELETE FROM bad")
        rows = [(key, _dump(document)) for key, document in batch.bad.items()]
        connection.executemany("INSERT INTO bad VALUES (?, ?)", rows)
    if batch.holds is not None:
        run("DELETE FROM holds")
        connection.executemany("INSERT INTO holds VALUES (?)", [(name,) for name in batch.holds])


def read(connection: sqlite3.Connection, query: ChangeQuery) -> list[ChangeRow]:
    """Return the changes that match, the newest first."""
    wheres = {
        "id IN (SELECT change FROM change_agents WHERE agent = ?)": query.agent,
        "package = ?": query.package,
        "state = ?": query.state,
        "(ended_at IS NULL) = ?": None if query.active is None else int(query.active),
        "id < ?": query.before,
    }
    used = {where: value for where, value in wheres.items() if value is not None}
    where = " AND ".join(used) or "1"
    # S608: only the constants above become SQL; every value is bound.
    sql = f"SELECT {_COLUMNS} FROM changes WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return [_row(r) for r in connection.execute(sql, (*used.values(), query.limit))]


def read_one(connection: sqlite3.Connection, id_: int) -> ChangeRow | None:
    """Return the change of that number, or None."""
    sql = f"SELECT {_COLUMNS} FROM changes WHERE id = ?"  # noqa: S608 -- a constant
    found = connection.execute(sql, (id_,)).fetchone()
    return None if found is None else _row(found)


def prune(connection: sqlite3.Connection, keep: int) -> int:
    """Delete all ended changes but the newest `keep`, and return how many went."""
    return connection.execute(
        "DELETE FROM changes WHERE ended_at IS NOT NULL AND id <="
        " (SELECT id FROM changes WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (keep,),
    ).rowcount


def _row(found: tuple[Any, ...]) -> ChangeRow:
    document = json.loads(found[3])
    return ChangeRow(
        id=found[0],
        state=found[1],
        package=found[2],
        agents=tuple(document["agents"]),
        document=document,
        created_at=found[4],
        updated_at=found[5],
        ended_at=found[6],
    )


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
