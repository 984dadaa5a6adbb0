"""What the manager itself answers is what the contract says: the API over it, on a fake systemd.

The client holds every answer to the contract.
"""

import asyncio

import pytest

from opmas.api.app import api_of, create_app
from opmas.api.settings import ApiSection
from opmas.manager.service import Manager
from tests.contract.managers import loop
from tests.integration.manager.place import Place
from tests.promises import HeldClient

__all__ = ["loop"]  # a fixture

NAP = {"package": "nap"}


@pytest.fixture
def client(folder, loop, monkeypatch):
    monkeypatch.setattr(Manager, "_handle_signals", lambda _: None)  # of the main thread alone
    place = Place(folder)
    place.add_package("needy", "sandbox: {network: observe, proc: host}")
    asyncio.run_coroutine_threadsafe(place.__aenter__(), loop).result(30)
    app = create_app(
        ApiSection(
            manager_socket=str(place.socket),
            database=str(folder / "api.db"),
            upload_dir=str(folder / "uploads"),
        )
    )
    app.test_client_class = HeldClient
    client = app.test_client()
    token = api_of(app).tokens.create("tests")[1]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    yield client
    api_of(app).close()
    api_of(app).manager.close()
    api_of(app).database.close()
    asyncio.run_coroutine_threadsafe(place.__aexit__(), loop).result(30)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/health",
        "/v1/host",
        "/v1/alerts",
        "/v1/agents",
        "/v1/agents/web",
        "/v1/agents/web/explain",
        "/v1/agents/web/history",
        "/v1/agents/web/limits",
        "/v1/limits",
        "/v1/packages",
        "/v1/packages/nap",
        "/v1/packages/needy",
        "/v1/changes",
        "/v1/changes/1",
        "/v1/changes/1?wait=1&seen=0",
        "/v1/events",
        "/v1/events?after=0&limit=2",
    ],
)
def test_what_is_read_is_as_promised(client, path):
    client.put("/v1/agents/web?wait=10", json={**NAP, "config": {"naps": 2}})

    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/agents/web", NAP, 200),
        ("PUT", "/v1/agents/web?wait=10", {**NAP, "config": {"naps": 2}}, 200),
        ("PUT", "/v1/agents/web?dry_run=true", {**NAP, "config": {"naps": 2}}, 200),
        ("PUT", "/v1/agents/web?dry_run=true", NAP, 200),
        ("PUT", "/v1/agents/db?wait=10", {**NAP, "limits": {"memory_max": "64M"}}, 201),
        ("PUT", "/v1/agents/db", {"package": "needy"}, 409),
        ("PUT", "/v1/agents/db", {"package": "nobody"}, 422),
        ("PUT", "/v1/agents/db", {**NAP, "version": "9.9"}, 422),
        ("PUT", "/v1/agents/db", {**NAP, "limits": {"memory_max": 1}}, 422),
        ("POST", "/v1/agents/web/stop", None, 202),
        ("POST", "/v1/agents/web/stop?wait=10", None, 200),
        ("POST", "/v1/agents/web/restart?wait=10", None, 200),
        ("POST", "/v1/agents/nobody/start", None, 404),
        ("POST", "/v1/agents/web/update", None, 400),
        ("POST", "/v1/agents/web/rollback", None, 404),
        ("POST", "/v1/agents/web/limits/apply", None, 400),
        ("POST", "/v1/packages/nap/hold", None, 200),
        ("POST", "/v1/packages/nap/unhold", None, 200),
        ("POST", "/v1/packages/nap/update", {"version": "9.9"}, 404),
        ("POST", "/v1/packages/nap/install?dry_run=true", None, 200),
        ("DELETE", "/v1/packages/nap", None, 409),
        ("POST", "/v1/changes/1/undo?dry_run=true", None, 200),
        ("POST", "/v1/changes/99/undo", None, 404),
        ("DELETE", "/v1/agents/web?dry_run=true", None, 200),
        ("DELETE", "/v1/agents/web?wait=10", None, 200),
    ],
)
def test_what_is_done_is_answered_as_promised(client, method, path, body, status):
    client.put("/v1/agents/web?wait=10", json=NAP)

    answer = client.open(path, method=method, json=body)

    assert answer.status_code == status, answer.text


def test_a_change_is_streamed_as_promised(client):
    client.put("/v1/agents/web?wait=10", json=NAP)

    answer = client.get("/v1/changes/1", headers={"Accept": "text/event-stream"}, buffered=False)

    assert b"event: change\n" in b"".join(answer.response)
