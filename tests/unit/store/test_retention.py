"""Which events go first, and what is remembered of them."""

from __future__ import annotations

import pytest

from opmas.store.database import Database
from opmas.store.retention import NEWEST, PORTION, ROWS, note, used_bytes
from opmas.store.rows import Batch, Keep, NewEvent, Pruned, Query

ALL = Keep(count=10**9, bytes=10**12, agents=10**9)
AT = "2026-06-01T00:00:00Z"


@pytest.fixture
def database(tmp_path):
    found = Database(tmp_path / "manager.db")
    found._connection.execute("PRAGMA synchronous = OFF")
    yield found
    found.close()


def own(number: int, month: int = 1) -> NewEvent:
    time = f"2026-{month:02}-01T00:00:{number % 60:02}Z"
    return NewEvent(time, "opmas.agent.phase", "agent/web", {"n": number})


def agents_own(name: str = "web", size: int = 0) -> NewEvent:
    return NewEvent("2026-01-01T00:00:00Z", "agent.nap.said", f"agent/{name}", {"x": "x" * size})


def append(database: Database, *events: NewEvent) -> None:
    database.save(Batch(events=events))


def prune(database: Database, **changes) -> list[Pruned]:
    """Prune until nothing is left to do."""
    keep = Keep(**{"count": ALL.count, "bytes": ALL.bytes, "agents": ALL.agents, **changes})
    return list(iter(lambda: database.prune(keep, AT), None))


def numbers(database: Database) -> list[int]:
    return [e.sequence for e in database.events(Query(limit=10**6))]


def reasons(database: Database) -> list[tuple[int, int, str]]:
    return [(p.first, p.last, p.reason) for p in database.pruned]


def test_a_log_within_its_limits_is_left_alone(database):
    append(database, *(own(n) for n in range(10)))

    assert prune(database) == []
    assert reasons(database) == []


def test_the_oldest_go_when_there_are_too_many_in_portions_that_become_one_row(database):
    append(database, *(own(n) for n in range(3 * PORTION)))

    steps = prune(database, count=10)

    assert [step.count for step in steps] == [PORTION, PORTION, PORTION - 10]
    assert numbers(database) == list(range(3 * PORTION - 9, 3 * PORTION + 1))
    assert reasons(database) == [(1, 3 * PORTION - 10, "count")]
    assert database.first == 3 * PORTION - 9


def test_old_events_go_from_the_old_end_only(database):
    append(database, own(1, 1), own(2, 2), own(3, 6), own(4, 1), own(5, 6))

    prune(database, oldest="2026-05-01T00:00:00Z")

    assert numbers(database) == [3, 4, 5], "an event of a clock that was wrong makes no hole"
    assert reasons(database) == [(1, 2, "age")]


def test_agents_push_out_their_own_events_and_none_of_opmas(database):
    for number in range(50):
        append(database, own(number), agents_own(), agents_own())

    prune(database, count=80, agents=30)

    kinds = [e.type for e in database.events(Query(limit=1000))]
    assert kinds.count("opmas.agent.phase") == 50
    assert kinds.count("agent.nap.said") == 30
    assert {reason for _, _, reason in reasons(database)} == {"agent-quota"}


def test_the_agent_that_says_most_loses_most(database):
    append(database, *(agents_own("quiet") for _ in range(20)))
    append(database, *(agents_own("loud") for _ in range(200)))

    prune(database, agents=100)

    assert len(database.events(Query(subject="agent/quiet", limit=1000))) == 20
    assert len(database.events(Query(subject="agent/loud", limit=1000))) == 80


def test_a_database_that_is_too_large_loses_agents_events_before_its_own(database):
    append(database, *(own(n) for n in range(2 * NEWEST)))
    append(database, *(agents_own(size=4000) for _ in range(3 * NEWEST)))
    large = used_bytes(database._connection)

    prune(database, bytes=large // 2)

    assert used_bytes(database._connection) <= large // 2
    assert len(database.events(Query(type="opmas.agent.phase", limit=10**6))) == 2 * NEWEST
    assert {reason for _, _, reason in reasons(database)} == {"size"}


def test_size_alone_takes_not_the_newest(database):
    append(database, *(own(n) for n in range(NEWEST + 10)))

    prune(database, bytes=1)

    assert len(numbers(database)) == NEWEST


def test_a_full_disk_takes_agents_events_first_and_says_so(database):
    append(database, *(own(n) for n in range(NEWEST)))
    append(database, *(agents_own() for _ in range(3 * PORTION)))

    dropped = database.relieve(AT, 2)

    assert [each.count for each in dropped] == [PORTION, PORTION]
    assert reasons(database) == [(NEWEST + 1, NEWEST + 2 * PORTION, "disk-full")]


def test_what_is_remembered_of_deleted_events_does_not_grow_for_ever(database):
    reasons_in_turn = ("age", "count", "size")
    for number in range(10 * ROWS):
        gone = Pruned(10 * number + 1, 10 * number + 10, AT, reasons_in_turn[number % 3])
        note(database._connection, gone)
    database._look()

    assert len(database.pruned) == ROWS
    assert min(p.first for p in database.pruned) == 1
    assert max(p.last for p in database.pruned) == 100 * ROWS


def test_a_page_is_bounded_in_bytes_and_never_empty_for_that(database):
    append(database, *(agents_own(size=1000) for _ in range(10)))

    page, cut = database.page(Query(after=0), most=3000)
    one, cut_too = database.page(Query(after=0), most=1)
    newest, _ = database.page(Query(), most=3000)

    assert ([e.sequence for e in page], cut) == ([1, 2], True)
    assert ([e.sequence for e in one], cut_too) == ([1], True)
    assert [e.sequence for e in newest] == [9, 10]
