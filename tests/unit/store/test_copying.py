"""Copies of a database in use."""

from __future__ import annotations

import os
import threading

import pytest

from opmas.errors import DamagedError, StoreError
from opmas.store.check import find_damage, read_contents
from opmas.store.copying import copy
from opmas.store.database import Database
from opmas.store.rows import Batch, NewEvent, Query


@pytest.fixture
def database(tmp_path):
    found = Database(tmp_path / "manager.db")
    found._connection.execute("PRAGMA synchronous = OFF")
    yield found
    found.close()


def events(count: int, size: int = 100) -> Batch:
    return Batch(events=tuple(NewEvent("t", "kind", "s", {"x": "x" * size}) for _ in range(count)))


def test_a_copy_needs_no_other_file_and_says_that_it_is_one(database, tmp_path):
    database.save(events(10))

    copy(database.path, tmp_path / "copy.db")

    assert sorted(p.name for p in tmp_path.glob("copy*")) == ["copy.db"]
    assert read_contents(tmp_path / "copy.db").last == 10
    made = Database(tmp_path / "copy.db")
    assert made.is_copy
    assert len(made.events(Query())) == 10
    made.close()


def test_what_is_written_during_a_copy_waits_for_nothing_and_is_not_in_it(database, tmp_path):
    database.save(events(3000, size=2000))
    steps: list[int] = []

    def write() -> bool:
        if threading.current_thread() is not threading.main_thread():
            steps.append(len(steps))
        return False

    thread = threading.Thread(target=copy, args=(database.path, tmp_path / "copy.db", write))
    thread.start()
    saved = 0
    while thread.is_alive():
        database.save(events(1))
        saved += 1
    thread.join()

    assert saved > 1
    assert read_contents(tmp_path / "copy.db").last < 3000 + saved
    assert database.last == 3000 + saved


def test_a_copy_is_given_up_when_it_is_told_to(database, tmp_path):
    database.save(events(10))

    with pytest.raises(StoreError, match="the manager ends"):
        copy(database.path, tmp_path / "copy.db", lambda: True)


def test_a_damaged_database_makes_no_copy(database, tmp_path):
    database.save(events(1000))
    database.close()
    with database.path.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096 * 3))

    with pytest.raises(DamagedError, match="it is damaged"):
        copy(database.path, tmp_path / "copy.db")


def test_only_the_thorough_check_compares_an_index_with_its_table(database):
    database.save(events(50))
    run = database._connection.execute
    run("PRAGMA writable_schema = ON")
    run("CREATE TABLE shadow (type TEXT, sequence INTEGER)")
    run("CREATE INDEX empty ON shadow (type, sequence)")
    run(
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name ="
        " 'empty') WHERE name = 'events_by_type'"
    )
    database.close()

    assert find_damage(database.path, thorough=True)


def test_the_contents_of_another_programs_database_are_damage(tmp_path):
    database = Database(tmp_path / "other.db")
    database._connection.execute("DROP TABLE agents")
    database.close()

    with pytest.raises(DamagedError, match="another program"):
        read_contents(tmp_path / "other.db")
