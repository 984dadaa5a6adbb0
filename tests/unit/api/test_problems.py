"""Errors as problem details."""

import pytest

from opmas import errors
from opmas.api.problems import STATUS, status_of

MEMBERS = {"type", "title", "status", "detail", "code", "problems", "instance"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("PATCH", "/v1/agents", 405, "method-not-allowed"),
        ("POST", "/v1/agents/web", 405, "method-not-allowed"),
        ("GET", "/v1/agents/web", 404, "unknown-agent"),
        ("GET", "/v1/packages/nope", 404, "unknown-package"),
    ],
)
def test_an_error_is_a_problem_document(client, method, path, status, code):
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert set(answer.json) == MEMBERS
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert (answer.json["type"], answer.json["instance"]) == ("about:blank", path)


def test_a_wrong_method_is_told_the_right_ones(client):
    answer = client.open("/v1/agents/web", method="POST")

    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "PUT", "DELETE"}


def test_a_fault_of_ours_says_nothing_about_itself(app, client, caplog):
    def broken():
        raise ZeroDivisionError("a secret")

    app.view_functions["GET /v1/host"] = broken

    answer = client.get("/v1/host")

    assert (answer.status_code, answer.json["code"]) == (500, "internal-error")
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_every_error_has_a_status_and_a_general_class_hides_no_special_one():
    kinds = list(STATUS)

    assert [
        (general, special)
        for position, general in enumerate(kinds)
        for special in kinds[position + 1 :]
        if issubclass(special, general)
    ] == []
    assert status_of(errors.OpmasError("x")) == 500
    assert status_of(errors.SystemdError("x")) == 503


@pytest.mark.parametrize("path", ["/v1/health", "/v1/agents", "/v1/nothing"])
def test_every_answer_has_the_security_headers(client, path):
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_the_host_header_is_nowhere_in_an_answer(client):
    answer = client.put(
        "/v1/agents/web", json={"package": "demo"}, headers={"Host": "evil.example"}
    )

    assert answer.status_code == 201
    assert "evil" not in f"{answer.headers}{answer.text}"


def test_head_is_get_without_a_body(client):
    answer = client.head("/v1/agents")

    assert (answer.status_code, answer.data) == (200, b"")


def test_options_lists_the_methods(client):
    answer = client.options("/v1/agents")

    assert (answer.status_code, answer.data) == (200, b"")
    assert "GET" in answer.headers["Allow"]


def test_log_lines_hold_nothing_that_the_client_made_up(app, client, caplog):
    def broken():
        raise ZeroDivisionError

    app.view_functions["GET /v1/host"] = broken

    client.get("/v1/host?x=INJECTED")

    assert "INJECTED" not in caplog.text
