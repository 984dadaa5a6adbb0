"""What holds answers to the contract sees what is not promised."""

import json

import pytest

from tests.promises import Frames, PromiseError, promises

JSON = {"Content-Type": "application/json"}
HEALTHY = {"status": "ok", "manager": "ok"}
PROBLEM = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "there is none",
    "code": "unknown-agent",
    "problems": [],
    "instance": "/v1/agents/web",
}
PROBLEM_TYPE = {"Content-Type": "application/problem+json"}


def hold(path, status, headers, document, method="GET"):
    return promises().hold(method, path, status, headers, json.dumps(document).encode())


def test_what_is_promised_is_fine():
    hold("/v1/health", 200, JSON, HEALTHY)
    hold("/v1/agents/web", 404, PROBLEM_TYPE, PROBLEM)


@pytest.mark.parametrize(
    ("path", "status", "headers", "document"),
    [
        ("/v1/health", 202, JSON, HEALTHY),
        ("/v1/health", 200, {"Content-Type": "text/html"}, HEALTHY),
        ("/v1/health", 200, {**JSON, "ETag": '"1"'}, HEALTHY),
        ("/v1/health", 200, JSON, {"status": "ok"}),
        ("/v1/health", 200, JSON, {**HEALTHY, "more": 1}),
        ("/v1/health", 200, JSON, {**HEALTHY, "manager": "away"}),
        ("/v1/nothing", 200, JSON, HEALTHY),
        ("/v1/agents/web", 404, PROBLEM_TYPE, {**PROBLEM, "status": 409}),
        ("/v1/agents/web", 404, PROBLEM_TYPE, {**PROBLEM, "code": "in-use"}),
        ("/v1/agents/web", 404, PROBLEM_TYPE, {**PROBLEM, "instance": "/v1/agents/db"}),
        ("/v1/agents/web", 503, PROBLEM_TYPE, {**PROBLEM, "status": 503, "code": "unavailable"}),
    ],
)
def test_what_is_not_promised_is_seen(path, status, headers, document):
    with pytest.raises(PromiseError):
        hold(path, status, headers, document)


def test_an_event_of_a_stream_that_is_not_promised_is_seen():
    check = promises().hold(
        "GET",
        "/v1/events",
        200,
        {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"},
        None,
    )
    frames = Frames(check)
    frames.take(b'retry: 1000\n\nevent: gap\ndata: {"after": 1, "first": 4, "last": 5}\n')

    frames.take(b"\n")
    with pytest.raises(PromiseError):
        frames.take(b'event: gap\ndata: {"after": 1}\n\n')
