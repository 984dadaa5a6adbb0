"""`/v1/events`: pages and streams."""

import json
import threading
import time

import pytest

SSE = {"Accept": "text/event-stream"}


def sequences(answer):
    return [event["sequence"] for event in answer.json["events"]]


def read_until(stream, text):
    """Return what the stream says up to the chunk that holds the text."""
    found = ""
    while text not in found:
        found += next(stream).decode()
    return found


@pytest.fixture
def open_stream(client):
    answers = []

    def open_it(path="/v1/events", **headers):
        answer = client.get(path, headers={**SSE, **headers}, buffered=False)
        answers.append(answer)
        assert answer.status_code == 200, answer.text
        return iter(answer.response)

    yield open_it
    for answer in answers:
        answer.close()


def test_a_page_holds_what_came_after(client, manager):
    for _ in range(5):
        manager.host.emit("opmas.agent.health", "agent/web")

    page = client.get("/v1/events?after=2&limit=2")

    assert sequences(page) == [3, 4]
    assert page.json["last"] == 4


def test_a_page_without_a_start_holds_the_newest(client, manager):
    for _ in range(150):
        manager.host.emit("opmas.agent.health", "agent/web")

    assert sequences(client.get("/v1/events")) == list(range(51, 151))


def test_filters_choose_events_and_the_position_passes_the_others(client, manager):
    manager.host.emit("opmas.agent.health", "agent/web")
    manager.host.emit("opmas.agent.phase", "agent/web")
    manager.host.emit("opmas.agent.phase", "agent/db")

    page = client.get("/v1/events?after=0&agent=web&type=opmas.agent.phase")

    assert (sequences(page), page.json["last"]) == ([2], 3)


def test_events_since_a_time(client, manager):
    manager.host.emit("opmas.agent.health", "agent/web")
    since = client.get("/v1/events").json["events"][0]["time"]
    manager.host.emit("opmas.agent.health", "agent/web")

    assert sequences(client.get(f"/v1/events?since={since}")) == [1, 2]
    assert sequences(client.get("/v1/events?since=2099-01-01T00:00:00Z")) == []


def test_who_waits_for_a_page_gets_it_when_the_event_is_there(client, manager):
    threading.Timer(0.2, manager.host.emit, ["opmas.agent.health", "agent/web"]).start()

    page = client.get("/v1/events?after=0&wait=10")

    assert sequences(page) == [1]


def test_who_waits_with_a_filter_is_not_woken_by_other_events(client, manager):
    manager.host.emit("opmas.agent.health", "agent/db")
    threading.Timer(0.1, manager.host.emit, ["opmas.agent.health", "agent/db"]).start()
    threading.Timer(0.2, manager.host.emit, ["opmas.agent.health", "agent/web"]).start()

    page = client.get("/v1/events?after=0&agent=web&wait=10")

    assert sequences(page) == [3]


def test_waiting_ends_when_the_time_is_over(client):
    began_at = time.monotonic()

    page = client.get("/v1/events?after=0&wait=0.3")

    assert page.json == {"events": [], "last": 0}
    assert 0.3 <= time.monotonic() - began_at < 2


def test_waiting_ends_when_the_service_does(client, api):
    threading.Timer(0.2, api.close).start()
    began_at = time.monotonic()

    page = client.get("/v1/events?after=0&wait=30")

    assert page.json["events"] == []
    assert time.monotonic() - began_at < 5


def test_a_stream_begins_now_and_tells_its_position(open_stream, manager):
    manager.host.emit("opmas.agent.health", "agent/web")

    stream = open_stream()

    assert next(stream).decode().endswith("\nid: 1\n\n")


def test_a_stream_goes_on_after_the_last_event_that_was_seen(open_stream, manager):
    for _ in range(3):
        manager.host.emit("opmas.agent.health", "agent/web", message="line\nbreak")

    stream = open_stream(**{"Last-Event-ID": "1"})

    said = read_until(stream, "id: 3\n")
    assert said.count("data: ") == 2
    assert "id: 2\nevent: opmas.agent.health\ndata: {" in said
    assert "gap" not in said


def test_a_header_wins_over_the_query(open_stream, manager):
    for _ in range(3):
        manager.host.emit("opmas.agent.health", "agent/web")

    stream = open_stream("/v1/events?after=0", **{"Last-Event-ID": "2"})

    assert read_until(stream, "id: 3\n").count("data: ") == 1


def test_a_stream_since_a_time(open_stream, client, manager):
    manager.host.emit("opmas.agent.health", "agent/web")
    manager.host.emit("opmas.agent.health", "agent/web")
    since = client.get("/v1/events").json["events"][1]["time"]

    stream = open_stream(f"/v1/events?since={since}")

    assert read_until(stream, "data: ").count("id: 2\nevent") == 1


def test_a_stream_of_one_agent_is_silent_about_others(open_stream, manager):
    stream = open_stream("/v1/events?after=0&agent=web")
    manager.host.emit("opmas.agent.health", "agent/db")
    manager.host.emit("opmas.agent.health", "agent/web")

    said = read_until(stream, "data: ")

    assert "id: 2\nevent: opmas.agent.health" in said
    assert "agent/db" not in said


def test_a_position_beyond_the_log_is_told_as_a_gap(open_stream, manager):
    manager.host.emit("opmas.agent.health", "agent/web")

    said = read_until(open_stream(**{"Last-Event-ID": "900"}), "id: 1\n")

    assert 'event: gap\ndata: {"after": 900, "first": 1, "last": 1}' in said


def test_a_gap_and_a_page_say_why_events_are_gone(open_stream, client, manager):
    for _ in range(5):
        manager.host.emit("opmas.agent.health", "agent/web")
    del manager.host.events[:3]
    manager.host.dropped = [{"first": 1, "last": 3, "reason": "count"}]

    said = read_until(open_stream("/v1/events?after=1"), "gap")
    page = client.get("/v1/events?after=1")

    gone = [{"first": 2, "last": 3, "reason": "count"}]
    assert f'"last": 5, "dropped": {json.dumps(gone)}' in said
    assert page.json["dropped"] == gone


def test_a_position_before_the_log_is_told_as_a_gap(open_stream, manager):
    for _ in range(5):
        manager.host.emit("opmas.agent.health", "agent/web")
    del manager.host.events[:3]

    said = read_until(open_stream(**{"Last-Event-ID": "1"}), "id: 5\n")

    assert 'event: gap\ndata: {"after": 1, "first": 4, "last": 5}' in said
    assert said.count("event: opmas.agent.health") == 2


@pytest.mark.parametrize("position", ["x", "-1", "1.5", "9" * 30])
def test_a_position_that_is_none_is_refused(client, position):
    answer = client.get("/v1/events", headers={**SSE, "Last-Event-ID": position})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid-request")


def test_a_stream_without_a_manager_is_refused(client, manager):
    manager.stop()

    answer = client.get("/v1/events", headers=SSE)

    assert (answer.status_code, answer.json["code"]) == (503, "manager-unavailable")


def test_the_last_free_threads_are_not_for_streams(open_stream, client):
    streams = [open_stream() for _ in range(3)]

    refused = client.get("/v1/events", headers=SSE)

    assert (refused.status_code, refused.json["code"]) == (503, "too-many-waiting")
    assert refused.headers["Retry-After"]
    assert client.get("/v1/events?after=0&wait=1").status_code == 503
    assert client.get("/v1/agents").status_code == 200
    assert len(streams) == 3


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stream_that_ended_frees_its_place(client, method):
    for _ in range(10):
        answer = client.open("/v1/events", method=method, headers=SSE, buffered=False)
        answer.close()

        assert answer.status_code == 200


def test_json_is_the_answer_unless_a_stream_is_preferred(client):
    for accept in ["*/*", "application/json", "application/json, text/event-stream;q=0.5"]:
        answer = client.get("/v1/events", headers={"Accept": accept})

        assert answer.mimetype == "application/json"
