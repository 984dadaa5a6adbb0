"""`/v1/agents`."""

import pytest

from opmas.errors import InvalidError

DEMO = {"package": "demo"}
NAMES = [
    "..",
    "a_b",
    "A",
    "-a",
    "a" * 300,
    "w%25",
    "%0aweb",
    "a%5Cb",
    "na%C3%AFve",
    "%00",
    "web ",
]


def test_no_agents_are_an_empty_list(client):
    assert client.get("/v1/agents").json == {"agents": []}


def test_a_put_creates_an_agent(client):
    answer = client.put("/v1/agents/web", json={**DEMO, "limits": {"memory_max": "32M"}})

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/agents/web"
    assert answer.headers["ETag"] == '"1"'
    assert answer.json["phase"] == "running"
    assert answer.json["limits"]["memory_max"] == 32 * 1024**2
    assert [agent["name"] for agent in client.get("/v1/agents").json["agents"]] == ["web"]


def test_a_second_put_replaces_it(client):
    client.put("/v1/agents/web", json={**DEMO, "config": {"a": 1}})

    answer = client.put("/v1/agents/web", json={**DEMO, "desired": "stopped"})

    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    assert (answer.json["config"], answer.json["phase"]) == ({}, "stopped")


def test_a_put_that_changes_nothing_creates_nothing(client):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.put("/v1/agents/web", json=DEMO)

    assert (answer.status_code, answer.json["change"]) == (200, None)
    assert "Location" not in answer.headers


def test_a_replacement_that_waits_creates_nothing(client, manager):
    client.put("/v1/agents/web", json=DEMO)
    manager.host.ledger.by_hand = True

    answer = client.put("/v1/agents/web", json={**DEMO, "config": {"a": 1}})

    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.headers["OPMAS-Change"] == str(answer.json["change"])


def test_a_creation_that_waits_is_accepted(client, manager):
    manager.host.ledger.by_hand = True

    answer = client.put("/v1/agents/web", json=DEMO)

    number = answer.json["change"]
    assert (answer.status_code, answer.json) == (202, {"name": "web", "change": number})
    assert answer.headers["Location"] == f"/v1/changes/{number}"
    assert answer.headers["OPMAS-Change"] == str(number)


def test_only_the_members_that_were_sent_reach_the_manager(client, manager):
    client.put("/v1/agents/web", json={**DEMO, "config": {"a": None}, "limits": None})

    expected = {"name": "web", "author": "token:ci", "config": {"a": None}, **DEMO}
    assert manager.calls[0] == ("agent.put", expected)


def test_one_agent_is_shown_with_its_revision(client):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.get("/v1/agents/web")

    assert (answer.json["name"], answer.headers["ETag"]) == ("web", '"1"')


def test_a_put_may_wait_until_the_agent_has_settled(client, manager):
    answer = client.put("/v1/agents/web?wait=5", json=DEMO)

    assert answer.status_code == 201
    assert manager.calls[0][1]["wait"] == 5


def test_what_a_package_needs_and_nobody_granted_is_listed(client):
    answer = client.put("/v1/agents/web", json={"package": "hostwatch"})

    assert (answer.status_code, answer.json["code"]) == (409, "grant-required")
    assert [p.split(":")[0] for p in answer.json["problems"]] == ["network=observe", "proc=host"]
    assert client.get("/v1/agents/web").status_code == 404


def test_granted_needs_let_the_agent_in(client):
    grants = ["network=observe", "proc=host"]

    answer = client.put("/v1/agents/web", json={"package": "hostwatch", "grants": grants})

    assert (answer.status_code, answer.json["grants"]) == (201, grants)


def test_create_only_leaves_an_agent_that_exists(client):
    client.put("/v1/agents/web", json=DEMO, headers={"If-None-Match": "*"})

    answer = client.put("/v1/agents/web", json=DEMO, headers={"If-None-Match": "*"})

    assert (answer.status_code, answer.json["code"]) == (412, "agent-exists")


@pytest.mark.parametrize("matching", ['"1"', "*"])
def test_a_put_at_the_expected_revision_is_done(client, matching):
    client.put("/v1/agents/web", json=DEMO)

    changed = {**DEMO, "config": {"interval": 5}}
    answer = client.put("/v1/agents/web", json=changed, headers={"If-Match": matching})

    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", DEMO),
        ("DELETE", "", {}),
        ("POST", "/stop", {}),
        ("POST", "/start", {}),
        ("POST", "/restart", {}),
        ("POST", "/update", {}),
        ("POST", "/rollback", {"version": "1.0.0"}),
    ],
)
def test_nothing_is_done_at_another_revision(client, method, path, body):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.open(
        f"/v1/agents/web{path}", method=method, headers={"If-Match": '"7"'}, json=body
    )

    assert (answer.status_code, answer.json["code"]) == (412, "revision-mismatch")
    assert client.get("/v1/agents/web").json["phase"] == "running"


def test_a_put_that_expects_any_revision_creates_nothing(client):
    answer = client.put("/v1/agents/web", json=DEMO, headers={"If-Match": "*"})

    assert (answer.status_code, answer.json["code"]) == (412, "revision-mismatch")


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": "1"},
        {"If-Match": 'W/"1"'},
        {"If-Match": '"1", "2"'},
        {"If-Match": ""},
        {"If-None-Match": '"1"'},
        {"If-None-Match": "*", "If-Match": "*"},
    ],
)
def test_a_condition_that_cannot_be_read_is_refused(client, headers):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.put("/v1/agents/web", json=DEMO, headers=headers)

    assert answer.status_code == 400
    assert client.get("/v1/agents/web").json["revision"] == 1


def test_an_unknown_package_is_a_wrong_value_not_an_unknown_resource(client):
    answer = client.put("/v1/agents/web", json={"package": "nope"})

    assert (answer.status_code, answer.json["code"]) == (422, "unknown-package")


@pytest.mark.parametrize(
    ("verb", "phase"), [("start", "running"), ("stop", "stopped"), ("restart", "running")]
)
def test_an_agent_is_operated(client, verb, phase):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.post(f"/v1/agents/web/{verb}")

    assert (answer.status_code, answer.json["phase"]) == (202, phase)


def test_who_waits_is_told_that_it_is_done(client, manager):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.post("/v1/agents/web/stop?wait=1.5")

    assert (answer.status_code, answer.json["phase"]) == (200, "stopped")
    assert manager.calls[-1][1]["wait"] == 1.5


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "1e3", "", "x", "1&wait=2"])
def test_a_wrong_wait_is_refused_and_nothing_is_done(client, wait):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.post(f"/v1/agents/web/stop?wait={wait}")

    assert answer.status_code == 400
    assert answer.json["problems"][0].startswith("wait: ")
    assert client.get("/v1/agents/web").json["phase"] == "running"


def test_an_agent_is_removed(client, manager):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.delete("/v1/agents/web?purge=true")

    assert (answer.status_code, answer.json["removed"]) == (200, "web")
    assert manager.calls[-1][1]["purge"] is True
    assert client.get("/v1/agents/web").status_code == 404


def test_a_put_names_its_change(client):
    answer = client.put("/v1/agents/web", json={**DEMO, "version": "1.0.0", "window": 30})

    change = client.get(f"/v1/changes/{answer.headers['OPMAS-Change']}").json
    assert (answer.json["change"], answer.json["version"]) == (change["id"], "1.0.0")
    assert (change["kind"], change["window"]) == ("create", 30)


def test_a_put_that_changes_nothing_names_no_change(client):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.put("/v1/agents/web", json=DEMO)

    assert answer.json["change"] is None
    assert "OPMAS-Change" not in answer.headers


def test_a_version_that_nobody_has_is_a_wrong_value(client):
    answer = client.put("/v1/agents/web", json={**DEMO, "version": "9.9"})

    assert (answer.status_code, answer.json["code"]) == (422, "unknown-version")


def test_a_put_can_be_tried_out(client, manager):
    answer = client.put("/v1/agents/web?dry_run=true", json=DEMO)

    assert (answer.status_code, answer.json["plan"]["kind"]) == (200, "create")
    assert manager.host.agents == {}


def test_a_removal_names_its_change(client):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.delete("/v1/agents/web", headers={"If-Match": '"1"'})

    assert answer.json["change"]["kind"] == "remove"
    assert answer.headers["OPMAS-Change"] == str(answer.json["change"]["id"])


def test_a_removal_can_be_tried_out(client):
    client.put("/v1/agents/web", json=DEMO)

    answer = client.delete("/v1/agents/web?dry_run=true")

    assert (answer.status_code, answer.json["plan"]["kind"]) == (200, "remove")
    assert client.get("/v1/agents/web").status_code == 200


@pytest.mark.parametrize(("verb", "version"), [("update", "1.0.0"), ("rollback", "1.0.0")])
def test_an_agent_is_given_another_version(client, manager, verb, version):
    client.put("/v1/agents/web", json=DEMO)
    client.post("/v1/agents/web/update")
    revision = client.get("/v1/agents/web").headers["ETag"]
    body = {"version": version, "window": 30}

    answer = client.post(f"/v1/agents/web/{verb}", json=body, headers={"If-Match": revision})

    change = answer.json["change"]
    assert (answer.status_code, change["kind"]) == (202, verb)
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"
    assert manager.calls[-1][1] == {
        "name": "web",
        "author": "token:ci",
        "expect": int(revision.strip('"')),
        **body,
    }


@pytest.mark.parametrize("verb", ["update", "rollback"])
def test_another_version_can_be_tried_out(client, manager, verb):
    client.put("/v1/agents/web", json=DEMO)
    client.post("/v1/agents/web/update")

    answer = client.post(f"/v1/agents/web/{verb}?dry_run=true", json={"version": "1.0.0"})

    assert (answer.status_code, answer.json["plan"]["id"]) == (200, 0)
    assert manager.host.agents["web"]["version"] == "1.1.0"


def test_an_agent_is_explained(client):
    client.put("/v1/agents/web", json=DEMO)

    assert client.get("/v1/agents/web/explain").json["summary"] == "web is running"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/explain"),
        ("POST", "/start"),
        ("POST", "/stop"),
        ("POST", "/restart"),
    ],
)
def test_an_unknown_agent_is_said_to_be_unknown(client, method, path):
    answer = client.open(f"/v1/agents/web{path}", method=method)

    assert (answer.status_code, answer.json["code"]) == (404, "unknown-agent")
    assert answer.json["detail"] == 'cannot find agent "web"'
    assert answer.json["instance"] == f"/v1/agents/web{path}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_name_that_is_none_never_reaches_the_manager(client, manager, method, name):
    answer = client.open(f"/v1/agents/{name}", method=method)

    assert answer.status_code in {404, 422}
    assert answer.json["code"] in {"not-found", InvalidError.code}
    assert manager.calls == []


@pytest.mark.parametrize(
    "path", ["/v1//agents", "/v1/agents/", "/v1/agents/a%2Fb", "/v1/agents/a/b"]
)
def test_a_path_that_is_none_is_not_redirected(client, path):
    answer = client.get(path)

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_a_manager_that_is_away_is_said_to_be_away(client, manager):
    manager.stop()

    answer = client.get("/v1/agents")

    assert (answer.status_code, answer.json["code"]) == (503, "manager-unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_manager_that_does_not_answer_is_away_too(client, manager):
    manager.deaf = True

    answer = client.get("/v1/agents")

    assert (answer.status_code, answer.json["code"]) == (503, "manager-unavailable")


def test_a_manager_that_was_restarted_is_met_again_at_once(client, manager):
    client.get("/v1/agents")
    manager.stop()
    manager.start()

    assert client.get("/v1/agents").status_code == 200
