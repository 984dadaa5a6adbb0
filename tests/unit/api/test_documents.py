"""Bodies and queries that are wrong: each fault is named, and nothing reaches the manager."""

import json

import pytest

JSON = {"Content-Type": "application/json"}


def put(client, body, headers=JSON):
    return client.put("/v1/agents/web", data=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"package": "demo", "package": "demo"}',
        b'{"package": "demo", "config": {"a": NaN}}',
        b'{"package": "demo", "config": {"a": Infinity}}',
        b'{"package": "demo", "config": {"a": 1e999}}',
        b'{"package": "demo", "config": {"a": "\\ud800"}}',
        b'{"package": "demo", "config": {"a": ' + b"9" * 5000 + b"}}",
        b'{"package": "demo", "config": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
        b"[" * 100_000,
    ],
    ids=lambda body: body[:60].decode("latin-1"),
)
def test_a_body_that_is_no_json_is_refused(client, manager, body):
    answer = put(client, body)

    assert (answer.status_code, answer.json["code"]) == (400, "invalid-request")
    assert manager.calls == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "package: is missing"),
        ([], "must be a mapping of keys to values, not a list"),
        ({"package": 1}, "package: must be text of at most 4096 characters, not 1"),
        ({"package": "demo", "config": []}, "config: must be an object, not a list"),
        ({"package": "demo", "limits": "64M"}, 'limits: must be an object, not "64M"'),
        ({"package": "demo", "grants": {}}, "grants: must be a list like [a, b], not a mapping"),
        ({"package": "demo", "grants": [1]}, "grants[0]: must be text of at most 4096 characters"),
        ({"package": "demo", "desired": "runing"}, 'did you mean "running"?'),
        ({"package": "demo", "limts": {}}, 'limts: unknown key; did you mean "limits"?'),
        ({"package": "demo", "name": "other"}, "name: unknown key"),
    ],
    ids=str,
)
def test_a_wrong_member_is_named(client, manager, body, problem):
    answer = put(client, json.dumps(body))

    assert (answer.status_code, answer.json["code"]) == (422, "invalid-value")
    assert any(problem in found for found in answer.json["problems"]), answer.json
    assert manager.calls == []


def test_all_problems_are_named_at_once(client):
    answer = put(client, json.dumps({"config": 1, "after": 2, "x": 3}))

    assert len(answer.json["problems"]) == 4


def test_what_the_manager_finds_wrong_is_passed_on(client):
    answer = put(client, json.dumps({"package": "demo", "limits": {"memory": "1G"}}))

    assert answer.status_code == 422
    assert answer.json["problems"] == ["limits.memory: unknown limit"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(client, kind):
    answer = put(client, b'{"package": "demo"}', {"Content-Type": kind})

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported-media-type")


def test_a_charset_beside_the_type_is_fine(client):
    answer = put(
        client, b'{"package": "demo"}', {"Content-Type": "application/json; charset=utf-8"}
    )

    assert answer.status_code == 201


def test_a_body_of_a_mebibyte_is_read(client):
    filler = b" " * (1024 * 1024 - len(b'{"package": "demo"}'))

    assert put(client, b'{"package": "demo"}' + filler).status_code == 201


def test_a_larger_body_is_refused(client, manager):
    answer = put(client, b" " * (1024 * 1024 + 1))

    assert (answer.status_code, answer.json["code"]) == (413, "body-too-large")
    assert manager.calls == []


@pytest.mark.parametrize("path", ["/v1/agents/web/start", "/v1/agents/web/stop"])
def test_a_body_where_none_belongs_is_refused(client, path):
    client.put("/v1/agents/web", json={"package": "demo"})

    answer = client.post(path, json={"wait": 5})

    assert (answer.status_code, answer.json["problems"]) == (422, ["wait: unknown key"])


def test_an_empty_object_is_as_good_as_no_body(client):
    client.put("/v1/agents/web", json={"package": "demo"})

    assert client.post("/v1/agents/web/stop", json={}).status_code == 202


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("limits=1", 'limits: unknown key; did you mean "limit"?'),
        ("limit=0", 'limit: must be a whole number from 1 to 1000, not "0"'),
        ("limit=1001", "limit: must be a whole number from 1 to 1000"),
        ("limit=1&limit=2", "limit: is given twice"),
        ("after=-1", "after: must be a whole number"),
        ("after=1.0", "after: must be a whole number"),
        ("after=%D9%A1", "after: must be a whole number"),
        ("wait=forever", "wait: must be seconds from 0 to 60"),
        ("agent=A/B", "agent: must be an agent name"),
        ("type=a%0Ab", "type: must be an event type"),
        ("since=yesterday", "since: must be a time with a zone"),
        ("since=2026-01-31T12:00:00", "since: must be a time with a zone"),
    ],
)
def test_a_wrong_parameter_is_named(client, manager, query, problem):
    answer = client.get(f"/v1/events?{query}")

    assert (answer.status_code, answer.json["code"]) == (400, "invalid-request")
    assert problem in answer.json["problems"][0]
    assert manager.calls == []
