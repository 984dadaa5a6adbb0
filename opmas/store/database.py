"""The manager's database: one SQLite file, one writer, every batch saved whole or not at all.

WAL with synchronous=FULL: what `save` returned from is on the disk, whatever is killed next.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import DamagedError, StoreError
from opmas.store import changes, learning
from opmas.store.migrations import migrate
from opmas.store.rows import (
    AgentRow,
    Batch,
    ChangeQuery,
    ChangeRow,
    ConfigRow,
    Query,
    StoredEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# What no second try mends; a lock, a full disk or a read error may pass.
DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
BUSY_TIMEOUT: Final = 0.2  # seconds; nobody else writes, and the manager waits meanwhile


class Database:
    """Agents, configs, packages and the event log, in the file at `path`."""

    def __init__(self, path: Path) -> None:
        """Open the file, make it when it is not there, and check it; `StoreError` otherwise."""
        self.path = path
        with _translated("open"):
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT, isolation_level=None, cached_statements=32
            )
            try:
                self._prepare()
                self._identity = _identity(path)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA cache_size = -1024")  # KiB; the event log is read rarely
        problems = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problems != "ok":
            raise DamagedError(f"cannot use the database: it is damaged: {problems}")
        migrate(self._connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def replaced(self) -> bool:
        """Return whether the file was deleted or exchanged since it was opened."""
        try:
            return _identity(self.path) != self._identity
        except OSError:
            return True

    def save(self, batch: Batch) -> tuple[int, ...]:
        """Save all of the batch, and return the sequence numbers that its events got."""
        with _translated("save"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                sequences = self._write(batch)
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled it back
                    self._connection.execute("ROLLBACK")
                raise
        return sequences

    def _write(self, batch: Batch) -> tuple[int, ...]:
        run = self._connection.execute
        for name in batch.removed:
            run("DELETE FROM agents WHERE name = ?", (name,))
            run("DELETE FROM configs WHERE agent = ?", (name,))
        for row in batch.agents:
            run(
                "INSERT OR REPLACE INTO agents VALUES (:name, :spec, :condition, :config_version,"
                " :revision, :created_at, :updated_at)",
                {**asdict(row), "spec": _dump(row.spec), "condition": _dump(row.condition)},
            )
        for config in batch.configs:
            run(
                "INSERT OR REPLACE INTO configs VALUES (:agent, :version, :config, :author, :at)",
                {**asdict(config), "config": _dump(config.config)},
            )
        changes.write(self._connection, batch)
        if batch.packages is not None:
            run("DELETE FROM packages")
            rows = [(name, *seen) for name, seen in batch.packages.items()]
            self._connection.executemany("INSERT INTO packages VALUES (?, ?, ?)", rows)
        return tuple(
            run(
                "INSERT INTO events (time, type, subject, data) VALUES (?, ?, ?, ?)",
                (event.time, event.type, event.subject, _dump(event.data)),
            ).lastrowid
            or 0
            for event in batch.events
        )

    def agents(self) -> list[AgentRow]:
        """Return all agents, by name."""
        with _translated("read"):
            rows = self._connection.execute("SELECT * FROM agents ORDER BY name").fetchall()
        return [AgentRow(r[0], json.loads(r[1]), json.loads(r[2]), *r[3:]) for r in rows]

    def configs(self, agent: str) -> list[ConfigRow]:
        """Return every configuration of the agent, the oldest first."""
        query = "SELECT * FROM configs WHERE agent = ? ORDER BY version"
        with _translated("read"):
            rows = self._connection.execute(query, (agent,)).fetchall()
        return [ConfigRow(r[0], r[1], json.loads(r[2]), r[3], r[4]) for r in rows]

    def packages(self) -> dict[str, tuple[str, str]]:
        """Return the packages as last seen: name -> (version, digest)."""
        with _translated("read"):
            return {r[0]: (r[1], r[2]) for r in self._connection.execute("SELECT * FROM packages")}

    def changes(self, query: ChangeQuery) -> list[ChangeRow]:
        """Return the changes that match, the newest first."""
        with _translated("read"):
            return changes.read(self._connection, query)

    def change(self, id_: int) -> ChangeRow | None:
        """Return the change of that number, or None."""
        with _translated("read"):
            return changes.read_one(self._connection, id_)

    def bad(self) -> dict[str, dict[str, Any]]:
        """Return what was undone, by its key."""
        with _translated("read"):
            return {r[0]: json.loads(r[1]) for r in self._connection.execute("SELECT * FROM bad")}

    def holds(self) -> frozenset[str]:
        """Return the packages that are held."""
        with _translated("read"):
            return frozenset(r[0] for r in self._connection.execute("SELECT * FROM holds"))

    def learned(self) -> dict[str, dict[str, Any]]:
        """Return what was learned, by agent."""
        with _translated("read"):
            return learning.read(self._connection)

    def save_learned(
        self, documents: Mapping[str, Mapping[str, Any]], gone: Iterable[str], at: str
    ) -> None:
        """Save what was learned of these agents, and forget those that are gone."""
        with _translated("save"), self._transaction():
            learning.write(self._connection, documents, gone, at)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled it back
                self._connection.execute("ROLLBACK")
            raise

    def prune_changes(self, keep: int) -> int:
        """Delete all ended changes but the newest `keep`, and return how many went."""
        with _translated("save"):
            return changes.prune(self._connection, keep)

    def events(self, query: Query) -> list[StoredEvent]:
        """Return the events that match, ascending: the first after a point, or the newest."""
        wheres = {
            "sequence > ?": query.after,
            "time >= ?": query.since,
            "subject = ?": query.subject,
            "type = ?": query.type,
        }
        used = {where: value for where, value in wheres.items() if value is not None}
        where = " AND ".join(used) or "1"
        newest = query.after is None and query.since is None
        order = "DESC" if newest else "ASC"
        # S608: only the constants above become SQL; every value is bound.
        sql = f"SELECT * FROM events WHERE {where} ORDER BY sequence {order} LIMIT ?"  # noqa: S608
        with _translated("read"):
            rows = self._connection.execute(sql, (*used.values(), query.limit)).fetchall()
        if newest:
            rows.reverse()
        return [StoredEvent(r[0], r[1], r[2], r[3], json.loads(r[4])) for r in rows]

    def bounds(self) -> tuple[int, int]:
        """Return the first and the last sequence number of the log; 0, 0 when it is empty."""
        with _translated("read"):
            first, last = self._connection.execute(
                "SELECT (SELECT min(sequence) FROM events),"
                " (SELECT seq FROM sqlite_sequence WHERE name = 'events')"
            ).fetchone()
        return (first or 0, last or 0)

    def continue_at(self, sequence: int) -> None:
        """Let the log of a new database go on after `sequence`."""
        run = self._connection.execute
        with _translated("save"):
            run("BEGIN IMMEDIATE")
            run("DELETE FROM sqlite_sequence WHERE name = 'events'")
            run("INSERT INTO sqlite_sequence VALUES ('events', ?)", (sequence,))
            run("COMMIT")

    def prune(self, keep: int) -> int:
        """Delete all events but the newest `keep`, and return how many went."""
        with _translated("save"):
            return self._connection.execute(
                "DELETE FROM events WHERE sequence <="
                " (SELECT seq FROM sqlite_sequence WHERE name = 'events') - ?",
                (keep,),
            ).rowcount


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return (stat.st_dev, stat.st_ino)


@contextlib.contextmanager
def _translated(verb: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", None) in DAMAGE
        raise (DamagedError if damaged else StoreError)(
            f"cannot {verb} the database: {error}"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot {verb} the database: {error.strerror or error}") from error
