"""The fake manager answers as the manager does: the same tests on both.

The real one runs here over a fake systemd; its files, its database and its socket are real.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from opmas.client.control import ManagerClient
from opmas.errors import (
    AgentExistsError,
    GrantError,
    InvalidError,
    RequestError,
    RevisionError,
    UnknownAgentError,
    UnknownPackageError,
)
from tests.contract.managers import NEEDY, create

# Where the two may differ: what the manifest and the metrics of an agent hold is their author's,
# what an explanation rests on is for people, and what differs is as much as differs.
FREE = {"metrics", "manifest", "facts", "config", "data", "problems", "before", "after"}


def members(value: Any) -> Any:
    """Return the names of all members, without what is in them."""
    if isinstance(value, dict):
        return {k: None if k in FREE else members(v) for k, v in sorted(value.items())}
    if isinstance(value, list):
        return members(value[0]) if value else None
    return None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("agent.list", {}),
        ("agent.show", {"name": "web"}),
        ("agent.put", {"name": "web", "package": "nap"}),
        ("agent.stop", {"name": "web", "wait": 10}),
        ("agent.explain", {"name": "web"}),
        ("agent.history", {"name": "web"}),
        ("alert.list", {}),
        ("limits.list", {}),
        ("limits.show", {"name": "web"}),
        ("agent.put", {"name": "web", "package": "nap", "config": {"naps": 2}, "dry_run": True}),
        ("agent.remove", {"name": "web", "dry_run": True}),
        ("agent.remove", {"name": "web", "wait": 10}),
        ("change.list", {}),
        ("change.show", {"id": 1}),
        ("change.undo", {"id": 1, "dry_run": True}),
        ("package.hold", {"name": "nap", "hold": True}),
        ("package.list", {}),
        ("package.show", {"name": "needy"}),
        ("package.scan", {}),
        ("event.list", {"after": 0, "type": "opmas.agent.phase"}),
    ],
)
def test_the_answers_have_the_same_members(fake, real, method, params):
    create(fake)
    create(real)

    assert members(fake(method, **params)) == members(real(method, **params))


def test_the_host_has_the_same_members(fake, real):
    create(fake)
    create(real)

    ours, theirs = fake("host.status"), real("host.status")
    assert members(ours) == members(theirs)
    assert ours["agents"] == theirs["agents"]


def test_an_agent_is_created_and_runs(call):
    view = create(call, limits={"memory_max": "32M"}, grants=[], after=[])

    assert (view["phase"], view["desired"], view["health"]) == ("running", "running", "healthy")
    assert (view["revision"], view["limits"]["memory_max"]) == (1, 32 << 20)
    assert "metrics" not in view
    assert "metrics" in call("agent.show", name="web")


def test_a_second_put_is_a_second_revision(call):
    create(call)

    assert create(call, config={"naps": 2})["revision"] == 2


@pytest.mark.parametrize(
    ("error", "params"),
    [
        (AgentExistsError, {"create_only": True}),
        (RevisionError, {"expect": 7}),
        (UnknownPackageError, {"package": "nope"}),
        (GrantError, {"package": "needy"}),
        (GrantError, {"package": "needy", "grants": NEEDY[:1]}),
        (InvalidError, {"desired": "asleep"}),
        (InvalidError, {"limits": {"memory": "1G"}}),
        (InvalidError, {"package": 5}),
        (InvalidError, {"surprise": True}),
    ],
    ids=lambda value: str(getattr(value, "code", value)),
)
def test_a_put_that_cannot_be_is_refused_and_changes_nothing(call, error, params):
    create(call)

    with pytest.raises(error) as caught:
        create(call, **params)

    assert type(caught.value) is error
    assert call("agent.show", name="web")["revision"] == 1


def test_every_need_that_was_not_granted_is_a_problem(call):
    with pytest.raises(GrantError) as caught:
        create(call, package="needy")

    assert [problem.split(":")[0] for problem in caught.value.problems] == NEEDY


def test_an_agent_is_stopped_and_started(call):
    create(call)

    phases = [
        call(f"agent.{verb}", name="web", wait=10, author="me")["phase"]
        for verb in ("stop", "start", "restart")
    ]

    assert phases == ["stopped", "running", "running"]


def test_a_removed_agent_is_unknown(call):
    create(call)

    assert call("agent.remove", name="web", purge=True, wait=10)["removed"] == "web"
    with pytest.raises(UnknownAgentError):
        call("agent.show", name="web")


@pytest.mark.parametrize("method", ["start", "stop", "restart", "remove", "explain", "show"])
def test_an_agent_that_is_not_there_is_unknown(call, method):
    with pytest.raises(UnknownAgentError):
        call(f"agent.{method}", name="web")


@pytest.mark.parametrize("name", ["../x", "A", "", 5, None])
def test_a_wrong_name_is_refused(call, name):
    with pytest.raises(InvalidError):
        call("agent.show", name=name)


def test_an_unknown_method_is_refused(call):
    with pytest.raises(RequestError):
        call("agent.paint", name="web")


def test_pages_of_events_are_gapless(call):
    create(call)
    whole = call("event.list", after=0, limit=1000)
    numbers = [event["sequence"] for event in whole["events"]]

    first = call("event.list", after=0, limit=2)
    second = call("event.list", after=first["last"], limit=1000)

    assert numbers == list(range(1, whole["last"] + 1))
    assert [e["sequence"] for e in first["events"] + second["events"]] == numbers
    assert call("event.list", limit=2)["events"] == whole["events"][-2:]


def test_filters_let_the_position_pass(call):
    create(call)
    create(call, "db")

    page = call("event.list", after=0, agent="db", type="opmas.agent.created")

    assert [event["subject"] for event in page["events"]] == ["agent/db"]
    assert page["last"] == call("event.list", after=0)["last"]


def test_limits_that_are_not_proposed_cannot_be_applied(call):
    create(call)

    with pytest.raises(RequestError, match="none are proposed"):
        call("limits.apply", name="web")


def test_a_position_beyond_the_end_stays(call):
    assert call("event.list", after=900) == {"events": [], "last": 900}


def test_waiting_for_an_event_ends_with_the_event(call):
    create(call)
    last = call("event.list", after=0, limit=1000)["last"]
    path = call.__self__.path

    with ManagerClient(path) as other:
        timer = threading.Timer(0.3, other.call, ["agent.stop"], {"name": "web"})
        timer.start()
        began_at = time.monotonic()
        page = call("event.list", after=last, wait=10)
        timer.join()

    assert page["events"][0]["sequence"] == last + 1
    assert 0.2 < time.monotonic() - began_at < 8


def test_waiting_in_vain_ends_with_the_time(call):
    create(call)
    last = call("event.list", after=0, limit=1000)["last"]

    assert call("event.list", after=last, wait=0.2) == {"events": [], "last": last}
