"""What the contract refuses, the API refuses, and names; what it allows, the API reads.

There is no second validator at run time: here each parameter and each member of each body is
sent with values just beyond its bounds, and with the last ones within.
"""

from urllib.parse import quote

import pytest

from opmas.api import query
from opmas.api.openapi import contract
from opmas.errors import TransitionError
from opmas.manager.control import changerequests, requests
from tests import bounds
from tests.fakes.host import FakeHost
from tests.fakes.manager import FakeManager

CONTRACT = contract()
IN_PATHS = {"name": "web", "version": "1.0.0", "number": "1"}
NEEDED = {"putAgent": {"package": "demo"}}
BUNDLE = {"Content-Type": "application/octet-stream"}
STREAM = {"Accept": "text/event-stream"}
LONG = 60  # the longest wait: nobody waits for it here


def resolved(value):
    """Return the value with what it refers to in its place."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        _, section, name = value["$ref"].removeprefix("#/").split("/")
        return resolved(CONTRACT["components"][section][name])
    return {key: resolved(item) for key, item in value.items()}


OPERATIONS = [
    (method.upper(), path, operation, [resolved(p) for p in item.get("parameters", []) + own])
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
    for own in [operation.get("parameters", [])]
]
PARAMETERS = [
    pytest.param(method, path, parameter, id=f"{operation['operationId']}-{parameter['name']}")
    for method, path, operation, parameters in OPERATIONS
    for parameter in parameters
    if operation["operationId"] != "getContract"  # any If-None-Match is one
]
BODIES = [
    (method, path, operation["operationId"], resolved(content["application/json"]["schema"]))
    for method, path, operation, _ in OPERATIONS
    for content in [operation.get("requestBody", {}).get("content", {})]
    if "application/json" in content
]
MEMBERS = [
    pytest.param(method, path, NEEDED.get(name, {}), at, schema, id=f"{name}-{at}")
    for method, path, name, whole in BODIES
    for at, schema in bounds.members(whole)
]
OBJECTS = [
    pytest.param(method, path, NEEDED.get(name, {}), at, id=f"{name}-{at or 'body'}")
    for method, path, name, whole in BODIES
    for at, schema in [("", whole), *bounds.members(whole)]
    if schema.get("additionalProperties") is False
]


def read_versioned(**params):
    changerequests.read_versioned(params, window=True)
    raise TransitionError("it was read")


def read_exact(**params):
    changerequests.read_versioned(params, window=True, expect=True)
    raise TransitionError("it was read")


def read_put(**params):
    requests.read_put(params)
    raise TransitionError("it was read")


def read_install(**params):
    changerequests.read_install(params)
    raise TransitionError("it was read")


# What reads as the manager does, and then does nothing of it.
READERS = {
    "agent_put": read_put,
    "agent_update": read_exact,
    "agent_rollback": read_exact,
    "package_install": read_install,
    "package_update": read_versioned,
    "package_rollback": read_versioned,
}


@pytest.fixture
def manager(folder, monkeypatch):
    host = FakeHost()
    for method, read in READERS.items():
        monkeypatch.setattr(host, method, read)
    with FakeManager(folder / "manager.sock", host) as manager:
        yield manager


@pytest.fixture
def send(client):
    """Send a request that is right but for one parameter, and return its answer."""

    def send_it(method, path, parameter, value):
        name, place = parameter["name"], parameter["in"]
        known = {**IN_PATHS, **({name: value} if place == "path" else {})}
        text = path.format(**{key: quote(given, safe="") for key, given in known.items()})
        headers = {**(BUNDLE if "versions" in path else {})}
        headers |= {name: value} if place == "header" else {}
        headers |= STREAM if name == "Last-Event-ID" else {}
        asked = {name: value} if place == "query" else {}
        body = {"json": {"package": "demo"}} if path == "/v1/agents/{name}" else {}
        return client.open(
            text, method=method, query_string=asked, headers=headers, buffered=False,
            **(body if method == "PUT" else {}),
        )  # fmt: skip

    return send_it


def is_named(answer, parameter):
    """Tell whether the answer refuses the request because of that parameter."""
    name, place = parameter["name"], parameter["in"]
    if answer.status_code < 400:
        return False
    problem = answer.json
    if place == "path" and name == "number":
        return problem["code"] == "not-found"
    if place == "path":
        return answer.status_code == 422 and name in problem["detail"]
    if place == "header":
        return answer.status_code == 400 and name in problem["detail"]
    return answer.status_code == 400 and problem["problems"][0].startswith(f"{name}: ")


def can_be_sent(parameter, value):
    """Tell whether HTTP can carry the value there, and not as another resource."""
    if parameter["in"] == "path":
        return value not in {"", ".."}
    if parameter["in"] == "header":
        return value.isprintable() and value.isascii() and value and len(value) < bounds.KNOWN
    return True


@pytest.mark.parametrize(("method", "path", "parameter"), PARAMETERS)
def test_a_parameter_beyond_the_contract_is_refused_and_named(send, method, path, parameter):
    wrong = [v for v in bounds.beyond_as_text(parameter["schema"]) if can_be_sent(parameter, v)]

    answers = {value: send(method, path, parameter, value) for value in wrong}

    assert [v for v, answer in answers.items() if not is_named(answer, parameter)] == []
    assert wrong


@pytest.mark.parametrize(("method", "path", "parameter"), PARAMETERS)
def test_a_parameter_within_the_contract_is_read(send, method, path, parameter):
    right = [v for v in bounds.within_as_text(parameter["schema"]) if can_be_sent(parameter, v)]
    right = [v for v in right if parameter["name"] != "wait" or float(v) < LONG]

    refused = [v for v in right if is_named_at_once(send(method, path, parameter, v), parameter)]

    assert refused == []
    assert right


def is_named_at_once(answer, parameter):
    named = answer.mimetype != "text/event-stream" and is_named(answer, parameter)
    answer.close()
    return named and "unknown" not in answer.json["code"]


def test_the_longest_wait_of_the_contract_is_that_of_the_api():
    longest = resolved({"$ref": "#/components/parameters/Wait"})["schema"]["maximum"]

    assert query.seconds(str(longest)) == query.LONGEST_WAIT


@pytest.mark.parametrize(("method", "path", "needed", "at", "schema"), MEMBERS)
def test_a_member_beyond_the_contract_is_refused_and_named(
    client, method, path, needed, at, schema
):
    wrong = bounds.beyond(schema)

    answers = [
        (value, client.open(path.format(**IN_PATHS), method=method, json=body))
        for value in wrong
        for body in [{**needed, **bounds.body(at, value)}]
    ]

    assert [(value, a.json) for value, a in answers if not is_member_named(a, at)] == []
    assert wrong


def is_member_named(answer, at):
    named = answer.status_code == 422 and answer.json["problems"]
    return named and any(problem.startswith(at) for problem in answer.json["problems"])


@pytest.mark.parametrize(("method", "path", "needed", "at", "schema"), MEMBERS)
def test_a_member_within_the_contract_is_read(client, method, path, needed, at, schema):
    right = [*bounds.within(schema), *([None] if bounds.takes(schema, None) else [])]
    bodies = [{**needed, **bounds.body(at, value)} for value in right]

    answers = [client.open(path.format(**IN_PATHS), method=method, json=body) for body in bodies]

    assert [(a.status_code, a.json["detail"]) for a in answers if not was_read(a)] == []
    assert bodies


def was_read(answer):
    return (answer.status_code, answer.json["detail"]) == (409, "it was read")


@pytest.mark.parametrize(("method", "path", "needed", "at"), OBJECTS)
def test_a_member_that_the_contract_does_not_know_is_refused_and_named(
    client, method, path, needed, at
):
    unknown = f"{at}.nonsense" if at else "nonsense"

    answer = client.open(
        path.format(**IN_PATHS), method=method, json={**needed, **bounds.body(unknown, 1)}
    )

    assert answer.status_code == 422
    assert [p.split(";")[0] for p in answer.json["problems"]] == [f"{unknown}: unknown key"]


def test_a_member_that_the_contract_needs_is_missed(client):
    answer = client.put("/v1/agents/web", json={})

    assert (answer.status_code, answer.json["problems"]) == (422, ["package: is missing"])


@pytest.mark.parametrize(("method", "path", "operation", "parameters"), OPERATIONS)
def test_a_parameter_that_the_contract_does_not_know_is_refused_and_named(
    client, method, path, operation, parameters
):
    answer = client.open(
        path.format(**IN_PATHS),
        method=method,
        query_string={"nonsense": "1"},
    )

    assert (answer.status_code, answer.json["problems"]) == (400, ["nonsense: unknown key"])
