"""The database goes back to what the version before can read, and only then."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from opmas.rescue.database import bring_back, is_sound, schema_of
from opmas.rescue.keep import keep_database
from opmas.store.copying import COPY

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = 5


def make(path: Path, schema: int, word: str, at: int = 1) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE words (word TEXT)")
        database.execute("INSERT INTO words VALUES (?)", (word,))
        database.execute(f"PRAGMA user_version = {schema}")
        database.commit()
    os.utime(path, (at, at))
    return path


def word_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT word FROM words").fetchone()[0])


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return make(tmp_path / "manager.db", KNOWN + 1, "migrated")


def test_the_newest_backup_that_can_be_read_takes_the_place(current: Path, tmp_path: Path) -> None:
    old = make(tmp_path / "old.db", KNOWN, "old", at=10)
    new = make(tmp_path / "new.db", KNOWN, "new", at=20)
    later = make(tmp_path / "later.db", KNOWN + 1, "too new", at=30)

    said = bring_back(current, KNOWN, [old, new, later, tmp_path / "missing.db"], "undone-x")

    assert word_of(current) == "new"
    assert word_of(tmp_path / "manager.db.undone-x") == "migrated"
    assert "manager.db.undone-x" in said


def test_a_database_that_can_be_read_stays_as_it_is(current: Path, tmp_path: Path) -> None:
    backup = make(tmp_path / "new.db", KNOWN, "new")

    assert bring_back(current, KNOWN + 1, [backup], "undone-x") == ""
    assert word_of(current) == "migrated"


def test_a_damaged_backup_is_passed_over(current: Path, tmp_path: Path) -> None:
    good = make(tmp_path / "good.db", KNOWN, "good", at=10)
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"no database at all" * 100)

    bring_back(current, KNOWN, [good, bad], "undone-x")

    assert word_of(current) == "good"


def test_without_a_backup_it_stays_and_that_is_said(current: Path) -> None:
    assert "stays at schema 6" in bring_back(current, KNOWN, [], "undone-x")
    assert word_of(current) == "migrated"


def test_a_kill_between_the_two_renames_is_made_good(current: Path, tmp_path: Path) -> None:
    current.rename(tmp_path / "manager.db.undone-x")
    make(tmp_path / ".manager.db.new", KNOWN, "new")

    bring_back(current, KNOWN, [], "undone-y")

    assert word_of(current) == "new"


def test_the_copy_of_a_database_in_use_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "manager.db"
    make(path, KNOWN, "here")
    with closing(sqlite3.connect(path)) as in_use:
        in_use.execute("INSERT INTO words VALUES ('more')")
        in_use.commit()

        wrong = keep_database(path, tmp_path / "copy.db")

    assert wrong == ""
    assert (schema_of(tmp_path / "copy.db"), is_sound(tmp_path / "copy.db")) == (KNOWN, True)


def test_what_is_no_database_has_no_schema(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("something else, of some length, which SQLite refuses to read")

    assert schema_of(tmp_path / "x.db") is None
    assert schema_of(tmp_path / "missing.db") is None
    assert not (tmp_path / "missing.db").exists()


def test_the_copy_says_that_its_log_may_have_gone_on_elsewhere(tmp_path: Path) -> None:
    path = make(tmp_path / "manager.db", KNOWN, "old")

    assert keep_database(path, tmp_path / "copy.db") == ""

    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA application_id").fetchone() == (COPY,)
