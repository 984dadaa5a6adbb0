"""Who may ask."""

import re

import pytest

from opmas.api.access import Permission
from opmas.api.resources import RESOURCES

CLOSED = [r for r in RESOURCES if r.permission is not Permission.NONE]


def test_only_the_contract_and_the_health_are_open_to_anyone():
    open_paths = [r.path for r in RESOURCES if r.permission is Permission.NONE]

    assert open_paths == ["/v1/openapi.json", "/v1/health"]


@pytest.mark.parametrize("resource", CLOSED, ids=lambda r: f"{r.method} {r.path}")
def test_every_other_resource_wants_a_token(stranger, manager, resource):
    path = re.sub("<[^>]*>", "1", resource.path)

    answer = stranger.open(path, method=resource.method)

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="opmas"'
    assert manager.calls == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer opmas_000000000000_" + "a" * 43,
        "Bearer " + "x" * 4000,
        "Bearer opmas_' OR 1=1 --_x",
    ],
)
def test_what_is_no_live_token_opens_no_door(stranger, manager, header):
    answer = stranger.get("/v1/agents", headers={"Authorization": header})

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert manager.calls == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nothing"), ("GET", "/"), ("OPTIONS", "/v1/agents"), ("PATCH", "/v1/agents")],
)
def test_a_stranger_is_not_told_what_exists(stranger, method, path):
    assert stranger.open(path, method=method).status_code == 401


def test_a_token_opens_the_door(client):
    assert client.get("/v1/agents").status_code == 200


def test_the_secret_of_another_token_does_not_open_the_door(api, stranger, token):
    _, other = api.tokens.create("other")
    mixed = token[: token.index("_", 6)] + other[other.index("_", 6) :]

    answer = stranger.get("/v1/agents", headers={"Authorization": f"Bearer {mixed}"})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_revoked_token_opens_no_door_at_once(api, client):
    client.get("/v1/agents")

    api.tokens.revoke("ci")

    assert client.get("/v1/agents").status_code == 401


def test_the_manager_learns_who_asks(client, manager):
    client.put("/v1/agents/web", json={"package": "demo"})

    assert manager.calls[0][1]["author"] == "token:ci"


def test_a_database_that_cannot_be_read_is_an_answer_of_its_own(app, api, token, folder):
    api.database.close()
    (folder / "api.db").write_bytes(b"this is no database" * 100)
    (folder / "api.db-wal").unlink(missing_ok=True)

    answer = app.test_client().get("/v1/agents", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.json["code"]) == (503, "store-unavailable")
    assert answer.headers["Retry-After"]


def test_health_needs_no_database(app, api, folder):
    (folder / "api.db").mkdir()

    assert app.test_client().get("/v1/health").status_code == 200
