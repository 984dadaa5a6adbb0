"""What the manager's database says, read beside the manager and without it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.diagnosis.reading import connect
from opmas.errors import OpmasError
from opmas.store.check import find_damage

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

EVENTS: Final = 2000
CHANGES: Final = 60
ROWS: Final = 200  # of each other table
LISTED: Final = 400  # files of the state directory
# Whole tables are told elsewhere, or hold what no diagnosis needs.
APART: Final = {"agents", "events", "changes", "configs", "change_agents", "sqlite_sequence"}


def gather(scene: Scene, out: Outcome) -> None:
    """Gather what the database holds, and whether it is sound."""
    path = scene.state / "manager.db"
    out.add("database/files.json", files(scene.state))
    try:
        with contextlib.closing(connect(path, out.until)) as connection:
            _contents(connection, scene, out)
    except (sqlite3.Error, OSError) as error:
        out.problem(f"cannot read {path}: {error}")
        out.board.put("agents", None)
    _integrity(path, out)


def files(state: Path) -> list[dict[str, Any]]:
    """Return the files of the state directory with their sizes and ages, agents' own aside."""
    found = []
    now = time.time()
    for path in sorted([*state.glob("*"), *state.glob("[!a]*/*")])[:LISTED]:
        with contextlib.suppress(OSError):
            stat = path.lstat()
            found.append(
                {
                    "file": str(path),
                    "bytes": stat.st_size,
                    "mode": f"{stat.st_mode:o}",
                    "owner": stat.st_uid,
                    "age_seconds": round(now - stat.st_mtime),
                }
            )
    return found


def _contents(connection: sqlite3.Connection, scene: Scene, out: Outcome) -> None:
    agents = [
        {"name": name, "spec": json.loads(spec), "condition": json.loads(condition), "at": at}
        for name, spec, condition, at in connection.execute(
            "SELECT name, spec, condition, updated_at FROM agents ORDER BY name"
        )
    ]
    out.board.put("agents", agents)
    out.add("database/agents.jsonl", agents)
    out.add("database/summary.json", _summary(connection))
    out.add("changes.jsonl", _changes(connection))
    out.add("events.jsonl", _events(connection, scene))
    for table in sorted(_tables(connection) - APART):
        rows = _newest(connection, table)
        if rows:
            out.add(f"database/{table}.jsonl", rows)


def _tables(connection: sqlite3.Connection) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return {name for (name,) in connection.execute(query)}


def _summary(connection: sqlite3.Connection) -> dict[str, Any]:
    pragmas = ("user_version", "page_count", "page_size", "freelist_count", "journal_mode")
    counts = {}
    for table in sorted(_tables(connection)):
        # S608: the table's name comes from the database's own list
        query = f'SELECT count(*) FROM "{table}"'  # noqa: S608
        counts[table] = connection.execute(query).fetchone()[0]
    return {
        "sqlite": sqlite3.sqlite_version,
        **{name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas},
        "rows": counts,
    }


def _changes(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    query = (
        "SELECT id, state, package, document, created_at, updated_at, ended_at FROM changes"
        " ORDER BY ended_at IS NULL DESC, id DESC LIMIT ?"
    )
    names = ("id", "state", "package", "document", "created_at", "updated_at", "ended_at")
    rows = connection.execute(query, (CHANGES,)).fetchall()
    return [{**dict(zip(names, row, strict=True)), "document": json.loads(row[3])} for row in rows]


def _events(connection: sqlite3.Connection, scene: Scene) -> list[dict[str, Any]]:
    since = scene.since.isoformat(timespec="microseconds").replace("+00:00", "Z")
    query = "SELECT * FROM events WHERE time >= ? ORDER BY sequence DESC LIMIT ?"
    rows = connection.execute(query, (since, EVENTS)).fetchall()
    for name in scene.names:
        more = "SELECT * FROM events WHERE subject = ? ORDER BY sequence DESC LIMIT 500"
        rows += connection.execute(more, (f"agent/{name}",)).fetchall()
    found = {row[0]: row for row in rows}
    return [
        {"sequence": r[0], "time": r[1], "type": r[2], "subject": r[3], "data": json.loads(r[4])}
        for _, r in sorted(found.items())
    ]


def _newest(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    # S608: as above; a table WITHOUT ROWID has no order that tells its newest
    query = f'SELECT * FROM "{table}" ORDER BY 1 DESC LIMIT ?'  # noqa: S608
    cursor = connection.execute(query, (ROWS,))
    names = [column[0] for column in cursor.description]
    return [
        {name: _decoded(value) for name, value in zip(names, row, strict=True)} for row in cursor
    ]


def _decoded(value: object) -> object:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def _integrity(path: Path, out: Outcome) -> None:
    begin = time.monotonic()
    try:
        damage = find_damage(path, stopped=lambda: time.monotonic() > out.until - 0.1)
        found: dict[str, Any] = {"sound": not damage, "damage": damage}
    except (OpmasError, OSError) as error:
        found = {"sound": None, "damage": [], "error": str(getattr(error, "message", error))}
    out.add("database/integrity.json", {"file": str(path), **found})
    out.took("database's integrity check", time.monotonic() - begin)
