"""The manager that authors test with does as the real one: the same tests on both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from opmas.errors import InvalidError
from opmas.manager.agents import connection, heard
from opmas.manager.agents import link as links
from opmas.manager.service import Manager
from tests.contract.agent_sockets import (
    BURST,
    AgentsEnd,
    AgentsManager,
    AuthorsManager,
    RealManager,
)
from tests.lab import wait_for

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterator
    from pathlib import Path

ABOUT = {"agent": "web", "version": 1, "config": {"words": 1, "deep": {"a": 1, "b": 2}}}
SOON = 15.0


@pytest.fixture
def authors_manager(folder: Path) -> Iterator[AgentsManager]:
    with AuthorsManager(folder) as manager:
        yield manager


@pytest.fixture
def real_manager(
    folder: Path, loop: AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AgentsManager]:
    manager = RealManager(folder, loop)
    monkeypatch.setattr(Manager, "_handle_signals", lambda _: None)  # of the main thread alone
    # the kernel's word on who speaks; the real one is tested on lab hosts
    monkeypatch.setattr(connection, "agent_of_process", manager.identify)
    with manager:
        yield manager


@pytest.fixture(params=["authors_manager", "real_manager"])
def manager(request: pytest.FixtureRequest) -> AgentsManager:
    found: AgentsManager = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def agent(manager: AgentsManager) -> Iterator[AgentsEnd]:
    with AgentsEnd(manager.path) as end:
        yield end


def test_hello_is_answered_with_the_configuration(agent):
    answer = agent.ask("hello", sdk="0.1.0", config_version=None)

    assert answer == {"jsonrpc": "2.0", "id": 7, "result": ABOUT}


def test_defaults_are_overridden_key_by_key(manager):
    manager.configure({"words": 4, "deep": {"b": None}})

    with AgentsEnd(manager.path) as agent:
        answer = agent.ask("hello")

    assert answer["result"]["config"] == {"words": 4, "deep": {"a": 1, "b": None}}


def test_a_new_configuration_is_a_request_that_the_agent_may_refuse(manager, agent):
    agent.ask("hello")

    manager.configure({"words": 5})
    request = agent.heard()
    refusal = {"version": 2, "applied": False, "error": "too many words"}
    agent.say({"jsonrpc": "2.0", "id": request["id"], "result": refusal})

    assert request["method"] == "config"
    assert request["params"] == {"version": 2, "config": {"words": 5, "deep": {"a": 1, "b": 2}}}
    assert wait_for(lambda: manager.veto() or None, SOON, "a veto") == "too many words"


@pytest.mark.parametrize(
    "config",
    [
        {"words": "many"},
        {"words": -1},
        {"words": None},
        {"wrods": 1},
        {"deep": 3},
        {"deep": {"a": "x"}},
    ],
    ids=str,
)
def test_a_configuration_that_the_schema_refuses_is_refused(manager, config):
    with pytest.raises(InvalidError):
        manager.configure(config)


def test_health_metrics_and_events_come_up(manager, agent):
    metrics = [{"name": "rounds_total", "kind": "counter", "labels": {}, "value": 3}]
    agent.tell("event", type="word.said", severity="warning", message="hey", data={"n": 1})
    agent.tell("event", type="a-b.c")
    agent.tell("metrics", metrics=metrics)
    agent.tell("health", status="degraded", message="so so", checks=[])

    wait_for(lambda: manager.health() == ("degraded", "so so"), SOON, "health")

    assert manager.metrics() == metrics
    assert manager.events() == [
        ("word.said", "warning", "hey", {"n": 1}),
        ("a-b.c", "info", "", {}),
    ]
    assert not manager.has_refused()


def test_events_that_the_package_subscribes_to_are_delivered(manager, agent):
    agent.ask("hello")

    manager.happen()
    told = agent.heard()

    assert (told["method"], "id" in told) == ("event", False)
    assert set(told["params"]) == {"id", "sequence", "type", "subject", "time", "data"}
    assert told["params"]["subject"] == "agent/other"


@pytest.mark.parametrize(
    ("method", "params"),
    [("health", {"status": "healthy"}), ("metrics", {"metrics": []}), ("event", {"type": "a"})],
)
def test_a_request_is_answered(agent, method, params):
    assert agent.ask(method, **params) == {"jsonrpc": "2.0", "id": 7, "result": {}}


def test_an_unknown_method_is_refused_by_its_code(manager, agent):
    answer = agent.ask("become-root")

    assert answer["error"]["code"] == -32601
    assert manager.has_refused()


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"[]",
        b"{}",
        b"\xff",
        b'{"method":"become-root","params":{}}',
        b'{"method":7}',
        b'{"method":"health","params":[1]}',
        b'{"method":"health","params":{"status":"splendid"}}',
        b'{"method":"health","params":{"status":"healthy","checks":[1]}}',
        b'{"method":"health","params":{"status":"healthy","checks":[{"name":"a","status":"x"}]}}',
        b'{"method":"metrics","params":{}}',
        b'{"method":"metrics","params":{"metrics":[{"value":1}]}}',
        b'{"method":"metrics","params":{"metrics":[{"name":"a","value":Infinity}]}}',
        b'{"method":"event","params":{"type":"../../x"}}',
        b'{"method":"event","params":{"type":"A.b"}}',
        b'{"method":"event","params":{"type":"a","severity":"fatal"}}',
        b'{"method":"event","params":{"type":"a","data":[]}}',
        b'{"method":"event","params":{"type":"a","data":{"x":"\\ud800"}}}',
        b'{"method":"event","params":{"type":"a","data":{"x":NaN}}}',
        b'{"method":"event","params":{"type":"a","data":{"x":1e999}}}',
        b'{"method":"event","params":{"type":"a","data":{"x":"' + b"x" * 9000 + b'"}}}',
        b'{"method":"event","params":{"type":"a","data":'
        + b'{"a":' * 70
        + b"1"
        + b"}" * 71
        + b"}",
    ],
    ids=lambda line: line[:60].decode(errors="replace"),
)
def test_what_is_not_of_the_protocol_is_refused_and_the_connection_stays(manager, agent, line):
    agent.send(line + b"\n")

    assert agent.ask("hello")["result"] == ABOUT
    assert manager.has_refused()
    assert manager.events() == []


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_ends_the_connection(manager, agent, end):
    agent.send(b"x" * (connection.LINE_LIMIT + 1) + end)

    assert agent.heard() == {}
    assert manager.has_refused()


def test_nobody_else_is_let_in(manager):
    manager.forget()

    with AgentsEnd(manager.path) as agent:
        assert agent.heard() == {}


def test_a_newer_connection_replaces_the_older(manager, agent):
    agent.ask("hello")

    with AgentsEnd(manager.path) as newer:
        assert agent.heard() == {}
        assert newer.ask("hello")["result"] == ABOUT


def test_an_agent_that_talks_too_much_is_read_more_slowly(manager, agent):
    line = b'{"method":"health","params":{"status":"healthy"}}\n'
    began_at = time.monotonic()

    sender = agent.send_beside(line * (BURST + 40))
    sender.join()
    agent.ask("hello")

    assert time.monotonic() - began_at >= 0.9 * 40 / heard.RATE


def test_an_event_counts_for_several_messages(manager, agent):
    line = b'{"method":"event","params":{"type":"a"}}\n'
    count = BURST // int(links.EVENT_COST) + 8
    began_at = time.monotonic()

    agent.send(line * count)
    agent.ask("hello")

    assert time.monotonic() - began_at >= 0.9 * 8 * links.EVENT_COST / heard.RATE
    wait_for(lambda: len(manager.events()) == count, SOON, "all events")
