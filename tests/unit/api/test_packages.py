"""`/v1/packages`: versions come, go and are held."""

import pytest

DEMO = {"package": "demo"}


@pytest.fixture
def ledger(manager):
    return manager.host.ledger


def agents(client, *names):
    for name in names:
        client.put(f"/v1/agents/{name}", json=DEMO)


def test_a_package_is_shown_with_its_versions(client):
    package = client.get("/v1/packages/demo").json

    assert [version["version"] for version in package["versions"]] == ["1.0.0"]
    assert package["held"] is False


@pytest.mark.parametrize(("body", "version"), [({}, "1.1.0"), ({"version": "1.1.0"}, "1.1.0")])
def test_a_version_is_installed_by_name(client, manager, body, version):
    answer = client.post("/v1/packages/demo/install", json=body)

    change = answer.json["change"]
    assert (answer.status_code, change["after"]) == (202, {"version": version})
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"
    assert manager.calls[-1][1] == {"name": "demo", "author": "token:ci", **body}


def test_a_version_that_nobody_has_is_not_found(client):
    answer = client.post("/v1/packages/demo/install", json={"version": "9.9"})

    assert (answer.status_code, answer.json["code"]) == (404, "unknown-version")


def test_who_waits_is_told_that_it_is_done(client, manager):
    answer = client.post("/v1/packages/demo/install?wait=5")

    assert (answer.status_code, answer.json["change"]["state"]) == (200, "committed")
    assert manager.calls[-1][1]["wait"] == 5


def test_a_change_that_goes_on_after_the_wait_is_accepted(client, ledger):
    ledger.by_hand = True

    assert client.post("/v1/packages/demo/install?wait=0.1").status_code == 202


def test_one_agent_is_updated_by_one_change(client):
    agents(client, "web")

    answer = client.post("/v1/packages/demo/update", json={"version": "1.1.0", "window": 30})

    (change,) = answer.json["changes"]
    assert (answer.status_code, change["window"]) == (202, 30)
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"


@pytest.mark.parametrize(("verb", "version"), [("update", "1.1.0"), ("rollback", "1.0.0")])
def test_many_agents_are_moved_by_as_many_changes(client, verb, version):
    agents(client, "db", "web")
    client.post("/v1/packages/demo/update")
    agents(client, "third")
    back = [client.post(f"/v1/agents/{n}/rollback") for n in ("db", "web") if verb == "update"]

    answer = client.post(f"/v1/packages/demo/{verb}", json={"version": version})

    assert {change["after"]["version"] for change in answer.json["changes"]} == {version}
    assert len(answer.json["changes"]) >= 2
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/v1/changes?package=demo"
    assert all(each.status_code == 202 for each in back)


def test_an_update_of_nobody_is_done(client):
    answer = client.post("/v1/packages/demo/update")

    assert (answer.status_code, answer.json) == (200, {"changes": []})
    assert "Location" not in answer.headers


@pytest.mark.parametrize("window", [-1, 601, "60", 1.5, True])
def test_a_wrong_window_is_named(client, manager, window):
    answer = client.post("/v1/packages/demo/update", json={"window": window})

    assert (answer.status_code, answer.json["code"]) == (422, "invalid-value")
    assert manager.calls == []


def test_a_package_is_held_and_let_go(client):
    held = client.post("/v1/packages/demo/hold")
    free = client.post("/v1/packages/demo/unhold")

    assert (held.status_code, held.json["package"]["held"]) == (200, True)
    assert (free.status_code, free.json["package"]["held"]) == (200, False)


def test_a_package_is_removed(client):
    answer = client.delete("/v1/packages/hostwatch")

    assert (answer.status_code, answer.json["change"]["kind"]) == (202, "remove")
    assert client.get("/v1/packages/hostwatch").status_code == 404


def test_one_version_is_removed(client):
    client.post("/v1/packages/demo/install", json={"version": "1.1.0"})

    answer = client.delete("/v1/packages/demo?version=1.0.0")

    left = [version["version"] for version in client.get("/v1/packages/demo").json["versions"]]
    assert (answer.status_code, left) == (202, ["1.1.0"])


def test_a_package_that_an_agent_needs_stays(client):
    agents(client, "web")

    answer = client.delete("/v1/packages/demo")

    assert (answer.status_code, answer.json["code"]) == (409, "in-use")


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [
        ("POST", "/v1/packages/demo/install", "plan"),
        ("POST", "/v1/packages/demo/update", "plans"),
        ("POST", "/v1/packages/demo/rollback", "plans"),
        ("DELETE", "/v1/packages/hostwatch", "plan"),
    ],
)
def test_what_would_be_done_can_be_asked(client, ledger, method, path, member):
    client.post("/v1/packages/demo/install", json={"version": "1.1.0"})
    client.post("/v1/packages/demo/rollback", json={"version": "1.0.0"})
    done = len(ledger.changes)

    answer = client.open(f"{path}?dry_run=true", method=method)

    assert (answer.status_code, list(answer.json)) == (200, [member])
    assert "Location" not in answer.headers
    assert len(ledger.changes) == done


@pytest.mark.parametrize(
    "path",
    [
        "/v1/packages/nope/update",
        "/v1/packages/nope/rollback",
        "/v1/packages/nope/hold",
        "/v1/packages/nope/unhold",
    ],
)
def test_an_unknown_package_is_said_to_be_unknown(client, path):
    answer = client.post(path)

    assert (answer.status_code, answer.json["code"]) == (404, "unknown-package")
