"""`/v1/limits`, and the limits of one agent."""

PROPOSED = {"memory_max": 64 * 1024**2}


def make(client, manager, **proposals):
    client.put("/v1/agents/web", json={"package": "demo"})
    manager.host.proposals.update(proposals)


def test_the_limits_of_all_and_of_one_say_who_set_them(client, manager):
    make(client, manager)

    listed = client.get("/v1/limits").json["agents"]
    one = client.get("/v1/agents/web/limits").json

    assert listed == [one]
    assert one["limits_origin"]["memory_max"] == "package"
    assert one["proposed"] == {}


def test_what_is_proposed_is_applied_as_a_change(client, manager):
    make(client, manager, web=PROPOSED)

    answer = client.post("/v1/agents/web/limits/apply")

    change = answer.json["change"]
    assert answer.status_code in {200, 202}
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"
    assert change["kind"] == "limits"
    assert client.get("/v1/agents/web").json["limits"]["memory_max"] == PROPOSED["memory_max"]


def test_a_plan_changes_nothing(client, manager):
    make(client, manager, web=PROPOSED)
    before = client.get("/v1/agents/web").json["limits"]

    plan = client.post("/v1/agents/web/limits/apply?dry_run=true").json["plan"]

    assert plan["kind"] == "limits"
    assert client.get("/v1/agents/web").json["limits"] == before


def test_nothing_can_be_applied_that_is_not_proposed(client, manager):
    make(client, manager)

    answer = client.post("/v1/agents/web/limits/apply")

    assert answer.status_code == 400
    assert "none are proposed" in answer.json["detail"]


def test_an_unknown_agent_is_not_found(client):
    assert client.get("/v1/agents/nobody/limits").status_code == 404
