"""Whatever happens to the database and its files, no number is given twice, and none of an event
is missing without a word: saves, kills, backups, losses, damage, copies put in place, in any
order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans, integers

from opmas.manager.clock import Clock
from opmas.manager.problems import Problems
from opmas.manager.state import backups
from opmas.manager.state.database import Databases, Origin
from opmas.manager.state.sequence import BLOCK
from opmas.store.rows import Batch, ChangeQuery, ChangeRow, Keep, NewEvent, Query, StoredEvent

ALL = Keep(count=10**9, bytes=10**12, agents=10**9)


def event(kind: str = "opmas.agent.phase") -> NewEvent:
    return NewEvent("2026-01-01T00:00:00Z", kind, "agent/web", {})


def change(number: int, ended: bool) -> ChangeRow:
    at = "2026-01-01T00:00:00Z"
    return ChangeRow(
        number, "committed" if ended else "ready", "nap", (), {"agents": []}, at, at,
        at if ended else None,
    )  # fmt: skip


class Numbers(RuleBasedStateMachine):
    """A log, and changes, told to a reader who notes each number that is announced."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.told: dict[int, int] = {}  # number -> which event it was
        self.changes: set[int] = set()  # numbers that were given
        self.last_change = 0  # in the manager's memory
        self.tail: list[StoredEvent] = []  # in the manager's memory
        self.serial = 0
        self.copies: list[Path] = []
        self.databases = Databases(self.folder / "manager.db", Clock())
        self._start()

    def teardown(self) -> None:
        self.databases.close()
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        self.databases = Databases(self.folder / "manager.db", Clock())
        opened = self.databases.open(self._problems(), self.databases.look())
        assert opened is not None
        self._quick()
        self.tail = []
        assert self.databases.current is not None
        newest = self.databases.current.changes(ChangeQuery(limit=1))
        known = max((row.id for row in newest), default=0)
        self.last_change = self.databases.last_change(opened, known)
        if opened.origin is not Origin.KEPT:
            self.databases.save(Batch(whole=True))

    @staticmethod
    def _problems() -> Problems:
        return Problems(lambda _kind, _data: None)

    def _quick(self) -> None:
        assert self.databases.current is not None
        self.databases.current._connection.execute("PRAGMA synchronous = OFF")

    @rule(count=integers(1, 30), agents=booleans(), announced=booleans())
    def save(self, count: int, agents: bool, announced: bool) -> None:
        """Save events; a kill may come before they are announced."""
        kind = "agent.nap.said" if agents else "opmas.agent.phase"
        batch = Batch(events=(event(kind),) * count)
        for number in self.databases.save(batch):
            self.serial += 1
            if announced:
                assert number not in self.told, "a number was given twice"
                self.told[number] = self.serial
            self.tail.append(StoredEvent(number, "t", kind, "agent/web", {}))
        if not announced:
            self.databases.close()
            self._start()

    @rule()
    def save_a_block(self) -> None:
        self.save(count=BLOCK + 10, agents=False, announced=True)

    @rule(count=integers(1, 3), ended=booleans())
    def change(self, count: int, ended: bool) -> None:
        numbers = range(self.last_change + 1, self.last_change + 1 + count)
        assert not self.changes & set(numbers), "the number of a change was given twice"
        self.databases.save(Batch(changes=tuple(change(number, ended) for number in numbers)))
        self.changes |= set(numbers)
        self.last_change += count

    @rule(keep=integers(1, 3))
    def prune_changes(self, keep: int) -> None:
        assert self.databases.current is not None
        self.databases.current.prune_changes(keep)

    @rule(most=integers(1, 50))
    def prune(self, most: int) -> None:
        database = self.databases.current
        assert database is not None
        keep = Keep(ALL.count if most % 2 else most, ALL.bytes, most)
        while database.prune(keep, "t") is not None:
            pass

    @rule()
    def stop_and_start(self) -> None:
        self.databases.end()
        self._start()

    @rule()
    def kill(self) -> None:
        self.databases.close()
        self._start()

    @rule()
    def back_up(self) -> None:
        path = self.databases.backups.folder / f"manager-20260101T0000{len(self.copies):02}Z.db"
        made = self.databases.backups.make(backups.made_at(path), 3)
        self.copies.append(self.folder / f"copy-{len(self.copies)}.db")
        shutil.copyfile(made, self.copies[-1])

    @rule(kind=integers(0, 3), running=booleans())
    def lose(self, kind: int, running: bool) -> None:
        """Lose or damage the file, below a manager or between two."""
        database = self.databases.current
        assert database is not None
        last, tail = database.last, tuple(self.tail[-20:])
        if not running:
            self.databases.close()
        path = self.folder / "manager.db"
        for log in self.folder.glob("manager.db-*"):
            log.unlink()
        if kind == 0:
            path.unlink()
        elif kind == 1:
            path.write_bytes(os.urandom(5000))
        else:
            os.truncate(path, 0 if kind == 2 else 4096)
        if not running:
            self._start()
            return
        self.databases.close()
        look = self.databases.look()
        assert self.databases.open(self._problems(), look, last, tail) is not None
        self._quick()
        self.databases.save(Batch(whole=True))

    @precondition(lambda self: self.copies)
    @rule(which=integers(0, 99), cleanly=booleans())
    def put_a_copy_in_place(self, which: int, cleanly: bool) -> None:
        if cleanly:
            self.databases.end()
        else:
            self.databases.close()
        for log in self.folder.glob("manager.db-*"):
            log.unlink()
        shutil.copyfile(self.copies[which % len(self.copies)], self.folder / "manager.db")
        self._start()

    @rule()
    def lose_the_backups(self) -> None:
        shutil.rmtree(self.databases.backups.folder, ignore_errors=True)

    @invariant()
    def a_reader_knows_of_all(self) -> None:
        database = self.databases.current
        assert database is not None
        there = {e.sequence for e in database.events(Query(after=0, limit=10**6))}
        missing = set(range(1, database.last + 1)) - there
        said = {n for p in database.pruned for n in range(p.first, p.last + 1)}
        assert missing <= said
        assert max(self.told, default=0) <= database.last


TestNumbers = Numbers.TestCase
TestNumbers.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
