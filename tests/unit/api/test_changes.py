"""`/v1/changes`: what was done, what goes on, and taking it back."""

import json
import threading

import pytest

DEMO = {"package": "demo"}
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def ledger(manager):
    return manager.host.ledger


@pytest.fixture
def under_way(client, manager):
    """The number of a change that goes on only step by step."""
    client.put("/v1/agents/web", json=DEMO)
    manager.host.ledger.by_hand = True
    return client.post("/v1/agents/web/update").json["change"]["id"]


def frames(text):
    """Return the serials and states of the events in the text of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            assert fields["event"] == "change"
            found.append((int(fields["id"]), json.loads(fields["data"])["state"]))
    return found


def test_what_was_done_is_listed_with_the_newest_first(client):
    client.put("/v1/agents/web", json=DEMO)
    client.put("/v1/agents/db", json=DEMO)

    listed = client.get("/v1/changes").json["changes"]

    assert [change["subject"] for change in listed] == ["agent/db", "agent/web"]
    assert {change["author"] for change in listed} == {"token:ci"}


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("agent=web", [3, 1]),
        ("package=demo&limit=1", [3]),
        ("package=hostwatch", []),
        ("state=committed&before=3", [2, 1]),
        ("state=reverted", []),
        ("active=true", []),
        ("active=false", [3, 2, 1]),
    ],
)
def test_the_list_is_filtered(client, query, numbers):
    for count, name in enumerate(("web", "db", "web")):
        client.put(f"/v1/agents/{name}", json={**DEMO, "config": {"count": count}})

    listed = client.get(f"/v1/changes?{query}").json["changes"]

    assert [change["id"] for change in listed] == numbers


@pytest.mark.parametrize(
    "query",
    ["state=comitted", "active=yes", "limit=0", "before=x", "agent=A/B", "package=..", "seen=1"],
)
def test_a_wrong_filter_is_named(client, manager, query):
    answer = client.get(f"/v1/changes?{query}")

    assert (answer.status_code, answer.json["code"]) == (400, "invalid-request")
    assert answer.json["problems"][0].startswith(query.partition("=")[0])
    assert manager.calls == []


def test_one_change_is_shown(client):
    number = client.put("/v1/agents/web", json=DEMO).headers["OPMAS-Change"]

    answer = client.get(f"/v1/changes/{number}")

    assert (answer.status_code, answer.json["id"]) == (200, int(number))


@pytest.mark.parametrize(
    ("number", "code"),
    [("7", "unknown-change"), ("0", "not-found"), ("x", "not-found"), ("9" * 20, "not-found")],
)
def test_a_change_that_is_none_is_not_found(client, number, code):
    answer = client.get(f"/v1/changes/{number}")

    assert (answer.status_code, answer.json["code"]) == (404, code)


def test_who_waits_is_answered_when_the_change_has_ended(client, ledger, under_way):
    timer = threading.Timer(0.1, ledger.finish, (under_way,))
    timer.start()

    answer = client.get(f"/v1/changes/{under_way}?wait=10")
    timer.join()

    assert answer.json["state"] == "committed"


def test_who_saw_it_is_answered_when_it_is_another(client, manager, under_way):
    seen = client.get(f"/v1/changes/{under_way}").json["serial"]
    timer = threading.Timer(0.1, manager.host.step, (under_way,))
    timer.start()

    answer = client.get(f"/v1/changes/{under_way}?wait=10&seen={seen}")
    timer.join()

    assert answer.json["serial"] > seen
    assert answer.json["state"] == "applying"


def test_who_waits_in_vain_is_answered_all_the_same(client, under_way):
    answer = client.get(f"/v1/changes/{under_way}?wait=0.1")

    assert (answer.status_code, answer.json["state"]) == (200, "planned")


def test_a_change_that_has_ended_is_not_waited_for(client):
    change = client.put("/v1/agents/web", json=DEMO).headers["OPMAS-Change"]
    serial = client.get(f"/v1/changes/{change}").json["serial"]

    answer = client.get(f"/v1/changes/{change}?wait=60&seen={serial}")

    assert answer.json["state"] == "committed"


def test_a_change_is_undone(client, ledger):
    client.put("/v1/agents/web", json=DEMO)
    number = client.post("/v1/agents/web/update").json["change"]["id"]

    answer = client.post(f"/v1/changes/{number}/undo")

    change = answer.json["change"]
    assert (answer.status_code, change["undo_of"]) == (202, number)
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"
    assert change["author"] == "token:ci"


def test_undoing_can_be_tried_out(client, ledger):
    number = client.put("/v1/agents/web", json=DEMO).headers["OPMAS-Change"]

    answer = client.post(f"/v1/changes/{number}/undo?dry_run=true")

    assert (answer.status_code, answer.json["plan"]["id"]) == (200, 0)
    assert len(ledger.changes) == 1


def test_what_cannot_be_undone_is_a_conflict(client, ledger, under_way):
    client.post(f"/v1/changes/{under_way}/undo")
    ledger.finish(under_way)

    answer = client.post(f"/v1/changes/{under_way}/undo")

    assert (answer.status_code, answer.json["code"]) == (409, "invalid-transition")


def test_a_stream_tells_each_turn_and_ends_with_the_change(client, ledger, under_way):
    timer = threading.Timer(0.1, ledger.finish, (under_way,))
    timer.start()

    answer = client.get(f"/v1/changes/{under_way}", headers=STREAM)
    told = frames(answer.text)
    timer.join()

    assert answer.mimetype == "text/event-stream"
    assert (told[0][1], told[-1][1]) == ("planned", "committed")
    assert [serial for serial, _ in told] == sorted({serial for serial, _ in told})


def test_a_stream_of_a_change_that_has_ended_is_its_last_word(client):
    number = client.put("/v1/agents/web", json=DEMO).headers["OPMAS-Change"]

    told = frames(client.get(f"/v1/changes/{number}", headers=STREAM).text)

    assert [state for _, state in told] == ["committed"]


@pytest.mark.parametrize("how", ["header", "query"])
def test_who_saw_the_end_is_told_not_to_come_back(client, how):
    number = client.put("/v1/agents/web", json=DEMO).headers["OPMAS-Change"]
    serial = client.get(f"/v1/changes/{number}").json["serial"]
    seen = {"Last-Event-ID": str(serial)} if how == "header" else {}
    query = f"?seen={serial}" if how == "query" else ""

    answer = client.get(f"/v1/changes/{number}{query}", headers={**STREAM, **seen})

    assert (answer.status_code, answer.data) == (204, b"")


def test_a_stream_goes_on_after_what_was_seen(client, ledger, under_way):
    serial = client.get(f"/v1/changes/{under_way}").json["serial"]
    ledger.finish(under_way)

    answer = client.get(
        f"/v1/changes/{under_way}", headers={**STREAM, "Last-Event-ID": str(serial)}
    )

    assert [state for _, state in frames(answer.text)] == ["committed"]


def test_a_stream_of_no_change_is_not_found(client):
    assert client.get("/v1/changes/7", headers=STREAM).status_code == 404


def test_streams_have_only_so_many_places(client, api, under_way):
    for _ in range(3):
        api.places.take()

    answer = client.get(f"/v1/changes/{under_way}", headers=STREAM)

    assert (answer.status_code, answer.json["code"]) == (503, "too-many-waiting")


def test_a_stream_ends_with_the_service(client, api, under_way):
    timer = threading.Timer(0.1, api.close)
    timer.start()

    told = frames(client.get(f"/v1/changes/{under_way}", headers=STREAM).text)
    timer.join()

    assert [state for _, state in told] == ["planned"]
    api.places.take()


def test_a_manager_that_was_away_goes_on_with_the_stream(client, manager, ledger, under_way):
    def restart():
        manager.stop()
        ledger.finish(under_way)
        manager.start()

    timer = threading.Timer(0.1, restart)
    timer.start()

    told = frames(client.get(f"/v1/changes/{under_way}", headers=STREAM).text)
    timer.join()

    assert [state for _, state in told] == ["planned", "committed"]
