"""Changes of the fake manager and of the real one: the same tests on both."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from opmas.client.control import ManagerClient
from opmas.errors import (
    InUseError,
    InvalidError,
    RequestError,
    RevisionError,
    UnknownAgentError,
    UnknownChangeError,
    UnknownPackageError,
    UnknownVersionError,
)
from tests.contract.managers import Call, create

FINAL = {"committed", "reverted", "revert-failed", "refused"}


def ended(call: Call, number: int) -> dict[str, Any]:
    """Return the change when it has ended."""
    return reached(call, number, FINAL)


def carried_out(call: Call, number: int) -> dict[str, Any]:
    """Return the change when it has ended or is only watched."""
    return reached(call, number, {*FINAL, "watching"})


def reached(call: Call, number: int, states: set[str]) -> dict[str, Any]:
    change, deadline = call("change.show", id=number), time.monotonic() + 10
    while change["state"] not in states:
        assert time.monotonic() < deadline
        change = call("change.show", id=number, seen=change["serial"], wait=1)
    return change


def reconfigured(call: Call) -> int:
    """Return the number of a change of web's configuration, which has ended."""
    create(call)
    number = int(create(call, config={"naps": 2})["change"])
    ended(call, number)
    return number


def test_a_create_is_a_change(call):
    number = create(call, author="robin")["change"]

    change = ended(call, number)

    assert (change["kind"], change["subject"], change["agents"]) == (
        "create",
        "agent/web",
        ["web"],
    )
    assert (change["state"], change["author"], change["before"]) == ("committed", "robin", None)
    assert call("agent.show", name="web")["change"] is None


def test_a_put_of_what_is_so_already_is_no_change(call):
    ended(call, create(call)["change"])

    again = create(call)

    assert (again["change"], again["revision"]) == (None, 1)
    assert len(call("change.list")["changes"]) == 1


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"config": {"naps": 2}}, "config"),
        ({"limits": {"memory_max": "96M"}}, "limits"),
        ({"after": ["db"]}, "settings"),
    ],
)
def test_the_kind_tells_what_is_changed(call, params, kind):
    ended(call, create(call)["change"])

    change = ended(call, create(call, **params, window=0)["change"])

    assert (change["kind"], change["state"]) == (kind, "committed")
    assert set(change["before"]) == set(change["after"]) == set(params)


def test_a_planned_put_changes_nothing(call):
    ended(call, create(call)["change"])
    params = {"name": "web", "package": "nap", "config": {"naps": 2}, "dry_run": True}

    plan = call("agent.put", **params)["plan"]

    assert (plan["id"], plan["kind"], plan["state"]) == (0, "config", "planned")
    assert plan["after"]["config"] == {"naps": 2}
    assert call("agent.show", name="web")["revision"] == 1
    assert len(call("change.list")["changes"]) == 1


def test_a_planned_removal_changes_nothing_and_a_wrong_revision_is_refused(call):
    ended(call, create(call)["change"])

    plan = call("agent.remove", name="web", dry_run=True)["change"]
    with pytest.raises(RevisionError):
        call("agent.remove", name="web", expect=7)

    assert (plan["id"], plan["kind"]) == (0, "remove")
    assert call("agent.show", name="web")["phase"] == "running"
    assert call("agent.remove", name="web", expect=1, wait=10)["change"]["kind"] == "remove"


def test_changes_are_listed_the_newest_first_and_by_filters(call):
    first = create(call)["change"]
    second = create(call, "db")["change"]
    ended(call, first)
    ended(call, second)

    def numbers(**filters: Any) -> list[int]:
        return [change["id"] for change in call("change.list", **filters)["changes"]]

    assert numbers() == [second, first]
    assert numbers(agent="web") == [first]
    assert numbers(package="nap", limit=1) == [second]
    assert numbers(before=second) == [first]
    assert numbers(state="committed", active=False) == [second, first]
    assert numbers(active=True) == numbers(state="reverted") == numbers(package="needy") == []


@pytest.mark.parametrize(
    "params", [{"state": "odd"}, {"limit": 0}, {"limit": 501}, {"agent": "../x"}, {"colour": 1}]
)
def test_a_wrong_filter_is_refused(call, params):
    with pytest.raises(InvalidError):
        call("change.list", **params)


@pytest.mark.parametrize("method", ["change.show", "change.undo"])
def test_a_change_that_is_not_there_is_unknown(call, method):
    with pytest.raises(UnknownChangeError):
        call(method, id=99)


def test_waiting_for_news_of_a_change_that_ended_is_no_waiting(call):
    change = ended(call, create(call)["change"])

    began_at = time.monotonic()
    again = call("change.show", id=change["id"], seen=change["serial"], wait=10)

    assert again == change
    assert time.monotonic() - began_at < 5


def test_the_answer_tells_a_newer_serial(call):
    number = reconfigured(call)

    assert call("change.show", id=number, seen=0, wait=10)["serial"] > 0


def test_each_turn_of_a_change_is_an_event(call):
    ended(call, create(call)["change"])

    events = call("event.list", after=0, type="opmas.change.state", limit=1000)["events"]

    assert {event["subject"] for event in events} == {"agent/web"}
    assert set(events[-1]["data"]) == {"id", "kind", "from", "to", "reason", "message"}
    assert events[-1]["data"]["to"] == "committed"
    assert call("event.list", after=0, type="opmas.change.step")["events"]


def test_undo_of_a_committed_change_is_a_change_that_takes_it_back(call):
    number = reconfigured(call)

    undo = carried_out(call, call("change.undo", id=number, author="robin")["change"]["id"])

    assert undo["id"] > number
    assert (undo["undo_of"], undo["author"]) == (number, "robin")
    assert not call("agent.show", name="web")["config"]


def test_undo_leaves_what_another_change_changed_since(call):
    number = reconfigured(call)
    limits = {"memory_max": "96M"}
    ended(call, create(call, config={"naps": 2}, limits=limits, window=0)["change"])

    carried_out(call, call("change.undo", id=number)["change"]["id"])

    agent = call("agent.show", name="web")
    assert (agent["config"] or {}, agent["own_limits"]) == ({}, {"memory_max": 96 << 20})


def test_an_update_of_a_package_whose_agents_run_the_newest_is_nothing(call):
    create(call)

    assert call("package.update", name="nap") == {"changes": []}


def test_undo_of_a_creation_removes_the_agent(call):
    number = ended(call, create(call)["change"])["id"]

    ended(call, call("change.undo", id=number)["change"]["id"])

    with pytest.raises(UnknownAgentError):
        call("agent.show", name="web")


def test_undo_of_what_was_changed_again_since_is_refused(call):
    number = reconfigured(call)
    ended(call, create(call, config={"naps": 3})["change"])

    with pytest.raises(RequestError):
        call("change.undo", id=number)


@pytest.mark.parametrize("method", ["agent.update", "agent.rollback"])
def test_a_version_of_an_agent_that_is_not_there_is_refused(call, method):
    with pytest.raises(UnknownAgentError):
        call(method, name="web")
    create(call)
    with pytest.raises(UnknownVersionError):
        call(method, name="web", version="9.9.9")


def test_an_agent_without_an_older_version_stays(call):
    create(call)

    with pytest.raises(UnknownVersionError):
        call("agent.rollback", name="web")


def test_an_update_to_what_it_has_already_is_refused(call):
    create(call)

    with pytest.raises(RequestError):
        call("agent.update", name="web", version="1.0.0")


@pytest.mark.parametrize("method", ["update", "rollback", "remove", "hold"])
def test_a_package_that_is_not_there_is_unknown(call, method):
    more = {"hold": True} if method == "hold" else {}

    with pytest.raises(UnknownPackageError):
        call(f"package.{method}", name="nope", **more)


@pytest.mark.parametrize("params", [{}, {"file": "/a-1.opmas", "upload": "0" * 16}, {"file": "x"}])
def test_an_installation_says_what(call, params):
    with pytest.raises(InvalidError):
        call("package.install", **params)


def test_a_package_that_an_agent_needs_stays(call):
    create(call)

    with pytest.raises(InUseError):
        call("package.remove", name="nap")


def test_a_package_is_held_and_let_go(call):
    held = call("package.hold", name="nap", hold=True)["package"]["held"]
    let_go = call("package.hold", name="nap", hold=False)["package"]["held"]

    assert (held, let_go) == (True, False)


def test_undo_of_what_was_never_carried_out_is_refused(call):
    create(call)
    number = call("agent.remove", name="web", wait=10)["change"]["id"]

    with pytest.raises(RequestError):
        call("change.undo", id=number)


def test_news_of_a_change_ends_the_waiting(call):
    number = reconfigured(call)
    path = call.__self__.path

    with ManagerClient(path) as other:
        params = {"name": "web", "package": "nap", "config": {"naps": 3}}
        timer = threading.Timer(0.3, other.call, ["agent.put"], params)
        timer.start()
        last = call("event.list", after=0, limit=1000)["last"]
        page = call("event.list", after=last, type="opmas.change.state", wait=10)
        timer.join()

    assert page["events"][0]["data"]["id"] == number + 1
