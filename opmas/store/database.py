"""The manager's database: one SQLite file, one writer, every batch saved whole or not at all.

WAL with synchronous=FULL: what `save` returned from is on the disk, whatever is killed next.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import DamagedError
from opmas.store import changes, history, learning, retention
from opmas.store.copying import COPY
from opmas.store.faults import translated
from opmas.store.migrations import migrate
from opmas.store.rows import (
    AgentRow,
    Batch,
    ChangeQuery,
    ChangeRow,
    ConfigRow,
    HistoryQuery,
    HistoryRow,
    Keep,
    Pruned,
    Query,
    StoredEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

BUSY_TIMEOUT: Final = 0.2  # seconds; nobody else writes, and the manager waits meanwhile
PAGE_BYTES: Final = 1024 * 1024  # of events that are read at once
FEW: Final = 64  # pages in the write-ahead log when the disk is full
ENVELOPE: Final = 300  # bytes around an event's data


class Database:
    """Agents, configs, packages and the event log, in the file at `path`.

    `is_copy` says that the log in it may have gone on elsewhere: a backup that was restored, or a
    new file. It is over when all that is known was saved (`Batch.whole`). `damaged` says what was
    found wrong since it was opened.
    """

    def __init__(self, path: Path, *, check: bool = True) -> None:
        """Open the file, make it when it is not there, and check it; `StoreError` otherwise."""
        self.path = path
        self.damaged = ""
        self._grown: set[str] | None = None  # whose history grew; None: perhaps everybody's
        with self._translated("open"):
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT, isolation_level=None, cached_statements=32
            )
            try:
                self._prepare(check=check)
                self._identity = _identity(path)
                self._log = {each: _identity(each) for each in _beside(path) if each.exists()}
                self.first, self.last = self._bounds()
                self.pruned = retention.read(self._connection)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, *, check: bool) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA cache_size = -1024")  # KiB; the event log is read rarely
        if check and (problem := run("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise DamagedError(f"cannot use the database: it is damaged: {problem}")
        is_new = run("PRAGMA user_version").fetchone()[0] == 0
        if is_new:  # before the tables: a kill between leaves no file that seems to be complete
            run(f"PRAGMA application_id = {COPY}")
        migrate(self._connection)
        self.is_copy = run("PRAGMA application_id").fetchone()[0] == COPY

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def replaced(self) -> bool:
        """Return whether the file was deleted or exchanged since it was opened."""
        try:
            return _identity(self.path) != self._identity
        except OSError:
            return True

    def leave_log(self) -> None:
        """Take away what this connection wrote beside the file: another file is there by now.

        SQLite would take the write-ahead log for that one's own, and mix the two.
        """
        for path, identity in self._log.items():
            with contextlib.suppress(OSError):
                if _identity(path) == identity:
                    path.unlink()

    def save(self, batch: Batch) -> tuple[int, ...]:
        """Save all of the batch, and return the sequence numbers that its events got."""
        with self._translated("save"), self._transaction():
            sequences = self._write(batch)
        if sequences:
            self.last = sequences[-1]
            self.first = self.first or sequences[0]
        self.is_copy = self.is_copy and not batch.whole
        if self._grown is not None:
            self._grown.update(row.agent for row in batch.history)
        return sequences

    def _write(self, batch: Batch) -> tuple[int, ...]:
        run = self._connection.execute
        if batch.whole:
            self._clear()
        for name in batch.removed:
            run("DELETE FROM agents WHERE name = ?", (name,))
            run("DELETE FROM configs WHERE agent = ?", (name,))
            history.forget(self._connection, name)
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
        if batch.whole:
            run("DELETE FROM configs WHERE agent NOT IN (SELECT name FROM agents)")
        changes.write(self._connection, batch)
        history.write(self._connection, batch.history)
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

    def _clear(self) -> None:
        """Forget what a whole batch says anew; and that this is a copy: now it is what holds."""
        run = self._connection.execute
        run("DELETE FROM agents")
        run("DELETE FROM changes WHERE ended_at IS NULL")
        run("PRAGMA application_id = 0")

    def agents(self) -> list[AgentRow]:
        """Return all agents, by name."""
        with self._translated("read"):
            rows = self._connection.execute("SELECT * FROM agents ORDER BY name").fetchall()
        return [AgentRow(r[0], json.loads(r[1]), json.loads(r[2]), *r[3:]) for r in rows]

    def configs(self, agent: str) -> list[ConfigRow]:
        """Return every configuration of the agent, the oldest first."""
        query = "SELECT * FROM configs WHERE agent = ? ORDER BY version"
        with self._translated("read"):
            rows = self._connection.execute(query, (agent,)).fetchall()
        return [ConfigRow(r[0], r[1], json.loads(r[2]), r[3], r[4]) for r in rows]

    def packages(self) -> dict[str, tuple[str, str]]:
        """Return the packages as last seen: name -> (version, digest)."""
        with self._translated("read"):
            return {r[0]: (r[1], r[2]) for r in self._connection.execute("SELECT * FROM packages")}

    def changes(self, query: ChangeQuery) -> list[ChangeRow]:
        """Return the changes that match, the newest first."""
        with self._translated("read"):
            return changes.read(self._connection, query)

    def change(self, id_: int) -> ChangeRow | None:
        """Return the change of that number, or None."""
        with self._translated("read"):
            return changes.read_one(self._connection, id_)

    def bad(self) -> dict[str, dict[str, Any]]:
        """Return what was undone, by its key."""
        with self._translated("read"):
            return {r[0]: json.loads(r[1]) for r in self._connection.execute("SELECT * FROM bad")}

    def holds(self) -> frozenset[str]:
        """Return the packages that are held."""
        with self._translated("read"):
            return frozenset(r[0] for r in self._connection.execute("SELECT * FROM holds"))

    def learned(self) -> dict[str, dict[str, Any]]:
        """Return what was learned, by agent."""
        with self._translated("read"):
            return learning.read(self._connection)

    def save_learned(
        self, documents: Mapping[str, Mapping[str, Any]], gone: Iterable[str], at: str
    ) -> None:
        """Save what was learned of these agents, and forget those that are gone."""
        with self._translated("save"), self._transaction():
            learning.write(self._connection, documents, gone, at)

    def history(self, query: HistoryQuery) -> list[HistoryRow]:
        """Return what the agent's phase and health were, the oldest first."""
        with self._translated("read"):
            return history.read(self._connection, query)

    def prune_history(self, most: int, oldest: str | None) -> None:
        """Delete all but the newest `most` states of each agent, and what is older than that."""
        with self._translated("save"), self._transaction():
            history.prune(self._connection, self._grown, most, oldest)
        self._grown = set()

    def prune_changes(self, keep: int) -> int:
        """Delete all ended changes but the newest `keep`, and return how many went."""
        with self._translated("save"):
            return changes.prune(self._connection, keep)

    def events(self, query: Query) -> list[StoredEvent]:
        """Return the events that match, ascending: the first after a point, or the newest."""
        return self.page(query)[0]

    def page(self, query: Query, most: int | None = None) -> tuple[list[StoredEvent], bool]:
        """Return the events that match, `most` bytes of them or one; and whether that cut them."""
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
        with self._translated("read"):
            cursor = self._connection.execute(sql, (*used.values(), query.limit))
            rows, cut = _bounded(cursor, most)
        if newest:
            rows.reverse()
        return [StoredEvent(r[0], r[1], r[2], r[3], json.loads(r[4])) for r in rows], cut

    def bounds(self) -> tuple[int, int]:
        """Return the first and the last sequence number of the log; 0, 0 when it is empty."""
        with self._translated("read"):
            return self._bounds()

    def _bounds(self) -> tuple[int, int]:
        first, last = self._connection.execute(
            "SELECT (SELECT min(sequence) FROM events),"
            " (SELECT seq FROM sqlite_sequence WHERE name = 'events')"
        ).fetchone()
        return (first or 0, last or 0)

    def continue_at(
        self, sequence: int, at: str = "", known: Iterable[StoredEvent] = ()
    ) -> Pruned | None:
        """Let the log of a new or restored database go on after `sequence`.

        `known` are events of the time between, which are put back; what is missing for good is
        written down and returned.
        """
        run, old = self._connection.execute, self.last
        back = [event for event in known if old < event.sequence <= sequence]
        hole = Pruned(old + 1, (back[0].sequence if back else sequence + 1) - 1, at, "restored")
        with self._translated("save"), self._transaction():
            rows = [(e.sequence, e.time, e.type, e.subject, _dump(e.data)) for e in back]
            self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            run("DELETE FROM sqlite_sequence WHERE name = 'events'")
            run("INSERT INTO sqlite_sequence VALUES ('events', ?)", (max(sequence, old),))
            if hole.first <= hole.last:
                retention.note(self._connection, hole)
            run(f"PRAGMA application_id = {COPY}")  # until all that is known was saved
        self.is_copy = True
        self._look()
        return hole if hole.first <= hole.last else None

    def prune(self, keep: Keep, at: str) -> Pruned | None:
        """Delete a portion of the events that are too many; None when there are none."""
        with self._translated("save"), self._transaction():
            found = retention.prune(self._connection, keep, at)
        if found is not None:
            self._look()
        return found

    def relieve(self, at: str, portions: int) -> list[Pruned]:
        """Drop so many portions of the history, so that there is room for what is decided."""
        found = []
        with self._translated("save"):
            # the log beside the file is written back early, so that it needs little room
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {FEW}")
            for _ in range(portions):
                with self._transaction():
                    rows = history.relieve(self._connection)  # what was is missed least
                    pruned = None if rows else retention.relieve(self._connection, at)
                if pruned is not None:
                    found.append(pruned)
                elif not rows:
                    break
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._look()
        return found

    def _look(self) -> None:
        self.first, self.last = self._bounds()
        self.pruned = retention.read(self._connection)

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

    @contextlib.contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            with translated(verb):
                yield
        except DamagedError as error:
            self.damaged = self.damaged or error.message
            raise


def _bounded(
    cursor: Iterable[tuple[Any, ...]], most: int | None
) -> tuple[list[tuple[Any, ...]], bool]:
    if most is None:
        return list(cursor), False
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        size += len(row[4]) + ENVELOPE
        if rows and size > most:
            return rows, True
        rows.append(row)
    return rows, False


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm")]


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return (stat.st_dev, stat.st_ino)
