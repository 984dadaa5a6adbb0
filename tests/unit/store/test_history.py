"""The history of agents in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opmas.store.database import Database
from opmas.store.rows import Batch, HistoryQuery, HistoryRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "manager.db")
    yield found
    found.close()


def at(minute: int) -> str:
    return f"2026-01-31T12:{minute:02}:00.000000Z"


def row(minute: int, agent: str = "web", health: str = "healthy") -> HistoryRow:
    return HistoryRow(agent, at(minute), "running", "ready", health, "")


def told(database: Database, since: int = 0, until: int = 59, limit: int = 100) -> list[str]:
    query = HistoryQuery("web", at(since), at(until), limit)
    return [each.at for each in database.history(query)]


def test_states_come_back_in_order_and_only_those_of_the_agent(database):
    database.save(Batch(history=(row(1), row(2, "db"), row(3))))

    assert told(database) == [at(1), at(3)]


def test_the_state_at_the_begin_of_the_time_is_told_too(database):
    database.save(Batch(history=(row(1), row(5), row(9), row(13))))

    assert told(database, since=7, until=12) == [at(5), at(9)]


def test_of_too_many_the_newest_are_told(database):
    database.save(Batch(history=tuple(row(n) for n in range(1, 6))))

    assert told(database, limit=2) == [at(4), at(5)]


def test_each_agent_keeps_its_newest(database):
    database.save(Batch(history=(*(row(n) for n in range(1, 6)), row(1, "db"))))

    database.prune_history(3, None)
    database.save(Batch(history=(row(6),)))
    database.prune_history(3, None)

    assert told(database) == [at(4), at(5), at(6)]
    assert len(database.history(HistoryQuery("db", at(0), at(59), 9))) == 1


def test_what_is_old_goes_but_what_holds_now(database):
    database.save(Batch(history=(row(1), row(2), row(3))))

    database.prune_history(100, at(30))

    assert told(database) == [at(3)]


def test_it_goes_with_its_agent(database):
    database.save(Batch(history=(row(1), row(1, "db"))))

    database.save(Batch(removed=("web",)))

    assert told(database) == []


def test_on_a_full_disk_it_goes_before_events_do(database):
    database.save(Batch(history=tuple(row(n) for n in range(1, 6))))

    assert database.relieve(at(59), 1) == []

    assert told(database) == [at(5)]


def test_a_batch_of_history_alone_is_saved():
    assert Batch(history=(row(1),))
