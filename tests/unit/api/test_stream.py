"""One client's stream, over the feed that all share."""

import re
import threading

import pytest

from opmas.api.feed import KEPT
from opmas.api.stream import KEEP_ALIVE, Filter, Start, Stream

ALL = Filter()


def emit(host, count):
    for _ in range(count):
        host.emit("opmas.agent.health", "agent/web")


def positions(text):
    """Return the ids of the events, without those of keep-alives."""
    return [int(found) for found in re.findall(r"^id: (\d+)\nevent: ", text, re.MULTILINE)]


@pytest.fixture
def follow(api):
    streams = []

    def begin(position, wanted=ALL, keep_alive=KEEP_ALIVE):
        client = Stream(api.manager, api.feed, wanted, lambda: True, keep_alive)
        stream = client.run(Start(position))
        streams.append(stream)
        next(stream)
        return stream

    yield begin
    for stream in streams:
        stream.close()


def read(stream, count):
    text = ""
    while len(positions(text)) < count:
        text += next(stream).decode()
    return positions(text)


def test_what_happened_before_is_paged_and_what_happens_then_is_fed(follow, manager):
    emit(manager.host, 1234)
    stream = follow(10)

    before = read(stream, 1224)
    emit(manager.host, 5)

    assert before + read(stream, 5) == list(range(11, 1240))


def test_a_client_that_is_slower_than_the_feed_misses_nothing(follow, manager):
    slow, fast = follow(0), follow(0)
    emit(manager.host, 1)
    read(slow, 1)
    emit(manager.host, KEPT + 500)
    read(fast, KEPT + 501)

    assert read(slow, KEPT + 500) == list(range(2, KEPT + 502))


def test_a_manager_that_is_away_for_a_while_costs_no_event(follow, manager):
    stream = follow(0)
    emit(manager.host, 2)
    before = read(stream, 2)
    manager.stop()
    emit(manager.host, 3)
    manager.start()

    assert before + read(stream, 3) == [1, 2, 3, 4, 5]


def test_a_log_that_began_anew_is_told_as_a_gap(follow, manager):
    emit(manager.host, 5)
    stream = follow(0)
    read(stream, 5)
    manager.stop()
    manager.host.events.clear()
    manager.host.sequence = 0
    emit(manager.host, 2)
    manager.start()

    said = ""
    while len(positions(said)) < 2:
        said += next(stream).decode()

    assert 'event: gap\ndata: {"after": 5, "first": 1, "last": 2}' in said
    assert positions(said) == [1, 2]


def test_what_is_gone_between_events_is_told_once_and_moves_no_position(follow, manager):
    stream = follow(0)
    emit(manager.host, 3)
    manager.stop()
    manager.host.sequence = 1000
    manager.host.dropped = [{"first": 4, "last": 1000, "reason": "restored"}]
    emit(manager.host, 2)
    manager.start()

    said = ""
    while len(positions(said)) < 5:
        said += next(stream).decode()

    assert (
        said.count('event: dropped\ndata: {"first": 4, "last": 1000, "reason": "restored"}') == 1
    )
    assert positions(said) == [1, 2, 3, 1001, 1002]


def test_a_silent_stream_is_kept_alive_with_its_position(follow, manager):
    stream = follow(0, Filter(agent="db"), keep_alive=0.1)
    emit(manager.host, 7)

    said = ""
    while "id: 7" not in said:
        said += next(stream).decode()

    assert said.endswith(": keep-alive\nid: 7\n\n")
    assert "data" not in said


def test_a_stream_ends_when_the_service_does(follow, api):
    stream = follow(0)
    threading.Timer(0.1, api.close).start()

    assert list(stream) == []


def test_the_manager_has_one_long_poll_however_many_clients_there_are(follow, manager):
    emit(manager.host, 1)
    streams = [follow(0) for _ in range(10)]
    for stream in streams:
        read(stream, 1)

    for stream in streams:
        emit(manager.host, 1)
        read(stream, 1)

    assert len([c for c in manager.calls if c[0] == "event.list" and "wait" in c[1]]) <= 12


def test_a_line_break_in_a_type_makes_no_field_of_its_own(follow, manager):
    stream = follow(0)
    manager.host.emit("opmas.x\nid: 99\ndata: false", "host")

    said = next(stream).decode()

    assert [line for line in said.splitlines() if line.startswith("id: ")] == ["id: 1"]
