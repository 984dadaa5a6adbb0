"""What agents' phases and health were: kept for a while, so many rows of each agent.

A row says what holds from its time on, until the next row of its agent. The newest row of an agent
is what holds now, and always stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.store.rows import HistoryQuery, HistoryRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

PORTION: Final = 1000  # rows a step
COLUMNS: Final = "agent, at, phase, reason, health, message"
# S608 below: only constants of this file become SQL; every value is bound.
# By the index, row by row: who asks for the newest of all agents reads the whole table.
OUTDATED: Final = (
    "EXISTS (SELECT 1 FROM history AS new WHERE new.agent = old.agent AND new.id > old.id)"
)


def write(connection: sqlite3.Connection, rows: Iterable[HistoryRow]) -> None:
    """Append the rows."""
    connection.executemany(
        f"INSERT INTO history ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
        [(r.agent, r.at, r.phase, r.reason, r.health, r.message) for r in rows],
    )


def forget(connection: sqlite3.Connection, agent: str) -> None:
    """Delete all rows of an agent that is no more."""
    connection.execute("DELETE FROM history WHERE agent = ?", (agent,))


def read(connection: sqlite3.Connection, query: HistoryQuery) -> list[HistoryRow]:
    """Return the rows of the time asked for, and the one that holds at its begin; oldest first."""
    run = connection.execute
    sql = f"SELECT {COLUMNS} FROM history WHERE agent = ? AND"  # noqa: S608
    before = run(f"{sql} at <= ? ORDER BY id DESC LIMIT 1", (query.agent, query.since))
    rows = before.fetchall()
    between = (query.agent, query.since, query.until, query.limit)
    rows += run(f"{sql} at > ? AND at < ? ORDER BY id DESC LIMIT ?", between).fetchall()[::-1]
    return [HistoryRow(*row) for row in rows]


def prune(
    connection: sqlite3.Connection, agents: Iterable[str] | None, most: int, oldest: str | None
) -> None:
    """Delete what is too much of these agents, None for all, and a portion of what is too old."""
    run = connection.execute
    if agents is None:
        sql = "SELECT agent FROM history GROUP BY agent HAVING count(*) > ?"
        agents = [row[0] for row in run(sql, (most,))]
    for agent in agents:
        newest = "SELECT id FROM history WHERE agent = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        sql = f"DELETE FROM history WHERE agent = ? AND id <= ({newest})"  # noqa: S608
        run(sql, (agent, agent, most))
    if oldest is not None:
        old = f"SELECT id FROM history AS old WHERE at < ? AND {OUTDATED}"  # noqa: S608
        run(f"DELETE FROM history WHERE id IN ({old} LIMIT ?)", (oldest, PORTION))  # noqa: S608


def relieve(connection: sqlite3.Connection) -> int:
    """Delete a portion because the disk is full, and return how many rows went."""
    old = f"SELECT id FROM history AS old WHERE {OUTDATED} ORDER BY id LIMIT ?"  # noqa: S608
    sql = f"DELETE FROM history WHERE id IN ({old})"  # noqa: S608
    return connection.execute(sql, (PORTION,)).rowcount
