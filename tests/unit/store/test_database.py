"""The database on a real SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from opmas.errors import DamagedError, StoreError
from opmas.store.database import Database
from opmas.store.rows import (
    AgentRow,
    Batch,
    ChangeQuery,
    ChangeRow,
    ConfigRow,
    NewEvent,
    Pruned,
    Query,
    StoredEvent,
)


@pytest.fixture
def database(tmp_path):
    with_path = Database(tmp_path / "manager.db")
    yield with_path
    with_path.close()


def row(name: str = "web", **changes) -> AgentRow:
    values = {
        "name": name, "spec": {"a": 1}, "condition": {}, "config_version": 1, "revision": 1,
        "created_at": "t", "updated_at": "t",
    }  # fmt: skip
    return AgentRow(**{**values, **changes})


def event(number: int, kind: str = "kind", subject: str = "agent/web") -> NewEvent:
    return NewEvent(f"2026-01-01T00:00:{number:02}Z", kind, subject, {"n": number})


def test_what_was_saved_is_there_after_a_reopening(tmp_path):
    first = Database(tmp_path / "manager.db")
    config = ConfigRow("web", 1, {"x": "ä\n"}, "me", "t")
    first.save(Batch(agents=(row(),), configs=(config,), packages={"nap": ("1.0", "d")}))
    first.close()

    again = Database(tmp_path / "manager.db")

    assert again.agents() == [row()]
    assert again.configs("web") == [config]
    assert again.packages() == {"nap": ("1.0", "d")}
    again.close()


def test_a_batch_that_fails_leaves_nothing_behind(database):
    bad = row("other", spec={"not json": object()})

    with pytest.raises(TypeError):
        database.save(Batch(agents=(row(), bad), events=(event(1),)))

    assert database.agents() == []
    assert database.bounds() == (0, 0)


def test_sequence_numbers_have_no_gap_even_after_a_failure(database):
    assert database.save(Batch(events=(event(1), event(2)))) == (1, 2)
    with pytest.raises(TypeError):
        database.save(Batch(events=(event(3), NewEvent("t", "k", "s", {"x": object()}))))

    assert database.save(Batch(events=(event(3),))) == (3,)


def test_a_removed_agent_takes_its_configs_along(database):
    database.save(Batch(agents=(row(),), configs=(ConfigRow("web", 1, {}, "me", "t"),)))

    database.save(Batch(removed=("web",)))

    assert (database.agents(), database.configs("web")) == ([], [])


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (Query(), [1, 2, 3, 4]),
        (Query(limit=2), [3, 4]),
        (Query(after=1, limit=2), [2, 3]),
        (Query(after=4), []),
        (Query(since="2026-01-01T00:00:03Z"), [3, 4]),
        (Query(subject="agent/other"), [2]),
        (Query(type="odd"), [1, 3]),
        (Query(after=1, type="odd"), [3]),
    ],
)
def test_events_are_found_in_order(database, query, numbers):
    others = (event(1, "odd"), event(2, subject="agent/other"), event(3, "odd"), event(4))
    database.save(Batch(events=others))

    found = database.events(query)

    assert [e.sequence for e in found] == numbers
    assert [e.data["n"] for e in found] == numbers


def test_a_new_log_goes_on_where_another_ended_and_says_what_is_missing(database):
    hole = database.continue_at(41, "t")

    assert hole == Pruned(1, 41, "t", "restored")
    assert database.pruned == [hole]
    assert database.save(Batch(events=(event(1),))) == (42,)


def test_what_is_known_of_the_time_between_is_put_back(database):
    database.save(Batch(events=(event(1), event(2))))
    known = [StoredEvent(n, "t", "kind", "agent/web", {"n": n}) for n in (2, 5, 6)]

    hole = database.continue_at(6, "t", known)

    assert hole == Pruned(3, 4, "t", "restored")
    assert [e.sequence for e in database.events(Query())] == [1, 2, 5, 6]
    assert database.save(Batch(events=(event(7),))) == (7,)


def test_a_database_is_a_copy_until_all_that_is_known_was_saved(database):
    is_new = database.is_copy
    database.save(Batch(events=(event(1),), packages={}))
    still = database.is_copy

    database.save(Batch(agents=(row(),), whole=True))

    assert (is_new, still, database.is_copy) == (True, True, False)
    again = Database(database.path)
    assert not again.is_copy
    again.close()


def test_a_whole_batch_leaves_nothing_that_is_not_in_it(database):
    old = ConfigRow("old", 1, {}, "me", "t")
    under_way = ChangeRow(1, "applying", "nap", ("old",), {"agents": ["old"]}, "t", "t")
    ended = ChangeRow(2, "committed", "nap", ("old",), {"agents": ["old"]}, "t", "t", "t")
    database.save(Batch(agents=(row("old"),), configs=(old,), changes=(under_way, ended)))

    database.save(Batch(agents=(row("new"),), whole=True))

    assert [each.name for each in database.agents()] == ["new"]
    assert database.configs("old") == []
    assert [each.id for each in database.changes(ChangeQuery())] == [2]


def test_damage_that_is_met_is_remembered(tmp_path):
    with closing(Database(tmp_path / "manager.db")) as made:
        made.save(Batch(configs=tuple(ConfigRow("web", n, {}, "x" * 100, "t") for n in range(99))))
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'configs'"
        (page,) = made._connection.execute(sql).fetchone()
    with (tmp_path / "manager.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)

    with closing(Database(tmp_path / "manager.db", check=False)) as again:
        with pytest.raises(DamagedError):
            again.configs("web")

        assert "malformed" in again.damaged


def test_a_deleted_file_is_noticed(database):
    assert not database.replaced()

    database.path.unlink()

    assert database.replaced()


@pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "manager.db").write_bytes(content)

    with pytest.raises(DamagedError, match=r"cannot (open|use) the database"):
        Database(tmp_path / "manager.db")


def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    newer = sqlite3.connect(tmp_path / "manager.db")
    newer.execute("PRAGMA user_version = 999")
    newer.commit()
    newer.close()

    with pytest.raises(StoreError, match="install the newer opmas-manager"):
        Database(tmp_path / "manager.db")


def test_a_write_that_another_holds_up_is_an_error_and_not_a_wait(database):
    other = sqlite3.connect(database.path)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreError, match="cannot save the database: database is locked") as caught:
        database.save(Batch(events=(event(1),)))

    assert not isinstance(caught.value, DamagedError)

    other.close()
