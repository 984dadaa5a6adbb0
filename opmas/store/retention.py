"""Which events go, the reason with them: a portion at a time, so that nobody waits for it.

Agents' own events go first: they have a quota, and when room is short those are taken. So no
agent that talks much pushes out what OPMAS noted of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.store.rows import Keep, Pruned

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

PORTION: Final = 200  # events a step: some milliseconds, and a hundred pages to write
NEWEST: Final = 1000  # events that neither size nor a full disk takes
LEFT: Final = 100  # events of agents that stay before the first of others goes for room
ROWS: Final = 64  # of `pruned`; beyond, the oldest of one reason become one
OF_AGENTS: Final = "type >= 'agent.' AND type < 'agent/'"  # the words of the partial index


def prune(connection: sqlite3.Connection, keep: Keep, at: str) -> Pruned | None:
    """Delete a portion of what is too much, and return what went; None when nothing is."""
    found = (
        _by_age(connection, keep.oldest, at)
        or _by_quota(connection, keep.agents, at)
        or _by_count(connection, keep.count, at)
        or _by_size(connection, keep.bytes, at)
    )
    if found is not None:
        note(connection, found)
    return found


def relieve(connection: sqlite3.Connection, at: str) -> Pruned | None:
    """Delete a portion because the disk is full; None when only the newest events are left."""
    found = _least(connection, at, "disk-full")
    if found is not None:
        note(connection, found)
    return found


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return what the database holds; what was freed in its file is not counted."""
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def read(connection: sqlite3.Connection) -> list[Pruned]:
    """Return what was deleted, by number."""
    sql = "SELECT first, last, at, reason FROM pruned ORDER BY first, last"
    return [Pruned(*row) for row in connection.execute(sql)]


def note(connection: sqlite3.Connection, pruned: Pruned) -> None:
    """Write down what went, joined with what went before for the same reason."""
    run = connection.execute
    sql = "SELECT rowid, first, last FROM pruned WHERE reason = ? ORDER BY last DESC LIMIT 1"
    known = run(sql, (pruned.reason,)).fetchone()
    if known is not None and pruned.first <= known[2] + 1:
        ends = (min(known[1], pruned.first), max(known[2], pruned.last), pruned.at)
        run("UPDATE pruned SET first = ?, last = ?, at = ? WHERE rowid = ?", (*ends, known[0]))
        return
    run(
        "INSERT INTO pruned VALUES (?, ?, ?, ?)",
        (pruned.first, pruned.last, pruned.at, pruned.reason),
    )
    while run("SELECT count(*) FROM pruned").fetchone()[0] > ROWS:
        _join_oldest(connection)


def _join_oldest(connection: sqlite3.Connection) -> None:
    """Make one row of the two oldest of the reason that has most."""
    run = connection.execute
    most = "SELECT reason FROM pruned GROUP BY reason ORDER BY count(*) DESC LIMIT 1"
    (reason,) = run(most).fetchone()
    sql = "SELECT rowid, first, last FROM pruned WHERE reason = ? ORDER BY first LIMIT 2"
    (old, first, end), (new, _, last) = run(sql, (reason,)).fetchall()
    run("DELETE FROM pruned WHERE rowid = ?", (old,))
    run("UPDATE pruned SET first = ?, last = ? WHERE rowid = ?", (first, max(end, last), new))


def _by_age(connection: sqlite3.Connection, oldest: str | None, at: str) -> Pruned | None:
    """Delete from the old end only: a clock that was wrong for a while makes no holes."""
    if oldest is None:
        return None
    sql = "SELECT sequence, time FROM events ORDER BY sequence LIMIT ?"
    old = []
    for sequence, time in connection.execute(sql, (PORTION,)):
        if time >= oldest:
            break
        old.append(sequence)
    return _delete(connection, old, at, "age")


def _by_quota(connection: sqlite3.Connection, most: int, at: str) -> Pruned | None:
    """Delete the oldest events of the agent that has most, while agents have too many."""
    there = _count(connection, OF_AGENTS)
    if there <= most:
        return None
    sql = (
        f"SELECT subject, count(*) FROM events WHERE {OF_AGENTS}"  # noqa: S608 -- a constant
        " GROUP BY subject ORDER BY count(*) DESC LIMIT 1"
    )
    subject, count = connection.execute(sql).fetchone()
    portion = min(PORTION, there - most, max(count // 2, 1))
    sql = (
        f"SELECT sequence FROM events WHERE {OF_AGENTS}"  # noqa: S608 -- a constant
        " AND subject = ? ORDER BY sequence LIMIT ?"
    )
    old = [row[0] for row in connection.execute(sql, (subject, portion))]
    return _delete(connection, old, at, "agent-quota")


def _by_count(connection: sqlite3.Connection, most: int, at: str) -> Pruned | None:
    excess = _count(connection) - most
    return None if excess <= 0 else _oldest(connection, min(excess, PORTION), at, "count")


def _by_size(connection: sqlite3.Connection, most: int, at: str) -> Pruned | None:
    return None if used_bytes(connection) <= most else _least(connection, at, "size")


def _least(connection: sqlite3.Connection, at: str, reason: str) -> Pruned | None:
    """Delete a portion of what is missed least: agents' events, then the oldest."""
    excess = _count(connection, OF_AGENTS) - LEFT
    if excess > 0:
        sql = f"SELECT sequence FROM events WHERE {OF_AGENTS} ORDER BY sequence LIMIT ?"  # noqa: S608
        old = [row[0] for row in connection.execute(sql, (min(excess, PORTION),))]
        return _delete(connection, old, at, reason)
    spare = _count(connection) - NEWEST
    return None if spare <= 0 else _oldest(connection, min(spare, PORTION), at, reason)


def _oldest(connection: sqlite3.Connection, count: int, at: str, reason: str) -> Pruned | None:
    sql = "SELECT sequence FROM events ORDER BY sequence LIMIT ?"
    return _delete(connection, [row[0] for row in connection.execute(sql, (count,))], at, reason)


def _delete(
    connection: sqlite3.Connection, sequences: Sequence[int], at: str, reason: str
) -> Pruned | None:
    if not sequences:
        return None
    rows = [(sequence,) for sequence in sequences]
    connection.executemany("DELETE FROM events WHERE sequence = ?", rows)
    return Pruned(sequences[0], sequences[-1], at, reason, len(sequences))


def _count(connection: sqlite3.Connection, where: str = "1") -> int:
    # S608: only constants of this file become SQL
    sql = f"SELECT count(*) FROM events WHERE {where}"  # noqa: S608
    return int(connection.execute(sql).fetchone()[0])
