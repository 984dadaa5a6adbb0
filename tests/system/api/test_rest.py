"""The REST API as installed, with the real manager behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.lab import wait_for
from tests.system.api.rest import Rest

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.system.manager.opmas import Opmas


def test_an_agent_lives_its_life_over_rest(opmas: Opmas, rest: Rest):
    body = {"package": "minimal", "limits": {"memory_max": "40M"}}

    made = rest.call("PUT", "/v1/agents/web?wait=20", body)
    stopped = rest.call("POST", "/v1/agents/web/stop?wait=20")
    started = rest.call("POST", "/v1/agents/web/start?wait=20")
    listed = rest.call("GET", "/v1/agents")
    removed = rest.call("DELETE", "/v1/agents/web?wait=20")

    assert (made.status, made.body["phase"]) == (201, "running")
    assert made.body["limits"]["memory_max"] == 40 << 20
    assert stopped.body["phase"] == "stopped"
    assert started.body["phase"] == "running"
    assert [a["name"] for a in listed.body["agents"]] == ["web"]
    assert removed.status in {200, 202, 204}
    assert rest.call("GET", "/v1/agents/web").status == 404
    assert opmas.call("agent.list") == {"agents": []}


def test_nothing_but_health_is_told_without_a_token(opmas: Opmas):
    anybody = Rest(opmas.host, "")
    paths = ("/v1/agents", "/v1/agents/x", "/v1/packages", "/v1/events", "/v1/host")

    assert anybody.call("GET", "/v1/health").status == 200
    assert {p: anybody.call("GET", p).status for p in paths} == dict.fromkeys(paths, 401)


def test_a_revoked_token_is_worth_nothing_at_once(opmas: Opmas):
    made = json.loads(opmas.run("token", "create", "--name", "short", "--json").stdout)
    short = Rest(opmas.host, made["token"])
    assert short.call("GET", "/v1/agents").status == 200

    opmas.run("token", "revoke", made["id"])

    assert short.call("GET", "/v1/agents").status == 401


def test_tokens_are_kept_hashed_and_for_the_api_alone(opmas: Opmas, rest: Rest):
    secret = rest.token.rpartition("_")[2]

    done = opmas.host.run("grep", "-raF", secret, "/var/lib/opmas-api", "/var/log", check=False)
    owners = opmas.host.run("find", "/var/lib/opmas-api", "-printf", "%u %m %f\n").stdout

    assert done.stdout == ""
    assert {line.split()[0] for line in owners.splitlines()} == {"opmas-api"}
    assert {line.split()[1] for line in owners.splitlines() if ".db" in line} == {"600"}


def test_a_packages_wishes_must_be_granted(rest: Rest):
    refused = rest.call("PUT", "/v1/agents/hostwatch", {"package": "hostwatch"})

    assert refused.status == 409
    assert refused.body["code"] == "grant-required"
    assert any(p.startswith("network=observe") for p in refused.body["problems"])


def test_an_agent_is_changed_only_by_who_saw_it_last(rest: Rest):
    made = rest.call("PUT", "/v1/agents/guarded?wait=20", {"package": "minimal"})
    other = {"package": "minimal", "limits": {"tasks_max": 20}}

    stale = rest.call("PUT", "/v1/agents/guarded", other, 'If-Match: "999"')
    fresh = rest.call("PUT", "/v1/agents/guarded", other, f'If-Match: "{made.body["revision"]}"')
    again = rest.call("PUT", "/v1/agents/guarded", other, "If-None-Match: *")

    assert (stale.status, fresh.status, again.status) == (412, 200, 412)


def test_a_stream_goes_on_where_it_ended_over_restarts_of_both_sides(opmas: Opmas, rest: Rest):
    first = opmas.last_event()
    opmas.create("busy", "minimal")
    heard: list[int] = []

    for unit in ("opmas-manager", "opmas-api", "opmas-manager"):
        stream = rest.stream(heard[-1] if heard else first)
        opmas.systemctl("kill", "-s", "KILL", "opmas-agent@busy")
        until_new(stream, heard)
        opmas.systemctl("restart", unit)
        opmas.up()
    stream = rest.stream(heard[-1])
    last = opmas.last_event()
    until_new(stream, heard, last)

    assert heard == list(range(first + 1, heard[-1] + 1))


def until_new(stream: Popen[str], heard: list[int], last: int = 0) -> None:
    """Read the stream until there is something new, up to `last` when that is given."""
    count = len(heard)
    assert stream.stdout is not None
    with stream:
        for line in stream.stdout:
            if line.startswith("data:"):  # an id alone only sets the position
                heard.append(json.loads(line[5:])["sequence"])
            if len(heard) > count and heard[-1] >= last:
                break
        stream.kill()


def test_the_api_is_started_by_its_socket_when_it_is_down(opmas: Opmas, rest: Rest):
    opmas.systemctl("stop", "opmas-api.service")

    answer = rest.call("GET", "/v1/health")

    assert answer.status == 200


def test_the_api_says_so_when_the_manager_is_away(opmas: Opmas, rest: Rest):
    opmas.systemctl("stop", "opmas-manager")

    away = rest.call("GET", "/v1/agents")
    opmas.systemctl("start", "opmas-manager")
    opmas.up()

    assert (away.status, away.body["code"]) == (503, "manager-unavailable")
    wait_for(lambda: rest.call("GET", "/v1/agents").status == 200, 10, "the API is back")
