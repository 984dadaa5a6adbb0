"""The conversation with the manager, over a real socket."""

from __future__ import annotations

import pytest

from opmas.agent.testing import ManagerSocket


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain"])
def test_an_agent_says_hello_health_metrics_and_events(start, notify, manager, name):
    start(name)

    assert manager.wait_for("hello")["config_version"] == 1
    assert manager.wait_for("health", status="healthy")
    assert manager.wait_for("event", type="set.up")["message"] == "is set up"
    sent = {sample["name"] for sample in manager.wait_for("metrics")["metrics"]}
    assert {"process_cpu_seconds_total", "process_open_fds", "process_threads"} <= sent


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain"])
def test_a_configuration_update_is_live_and_answered(start, notify, manager, name):
    start(name)
    notify.wait_for("READY=1")
    manager.wait_for("health", status="healthy")

    answer = manager.offer_config(2, {"status": "degraded"})

    assert answer == {"version": 2, "applied": True}
    notify.wait_for("RELOADING=1")
    notify.wait_for("READY=1")
    assert manager.wait_for("health", status="degraded")["checks"][0]["name"] == "colour"


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain"])
def test_a_veto_keeps_the_configuration_and_says_why(start, notify, manager, name):
    start(name, {"status": "healthy"})
    notify.wait_for("READY=1")
    manager.wait_for("hello")

    answer = manager.offer_config(2, {"bad": 1})

    assert answer == {"version": 2, "applied": False, "error": "bad: is not wanted"}
    health = manager.wait_for("health", status="degraded")
    assert health["checks"][-1]["code"] == "config-refused"


def test_a_configuration_that_changed_while_the_link_was_down_is_taken(start, notify, manager):
    manager.version, manager.config = 5, {"colour": "blue"}

    start("Plain", {"colour": "red"})

    assert manager.wait_for("event", type="set.up")["data"] == {"config": {"colour": "red"}}
    seen = manager.wait_for("event", type="config.seen")["data"]
    assert seen == {"before": {"colour": "red"}, "after": {"colour": "blue"}}


@pytest.mark.parametrize("name", ["Plain", "OwnLoop", "AsyncPlain"])
def test_events_are_delivered(start, notify, manager, name):
    start(name)
    manager.wait_for("hello")

    manager.deliver({"type": "opmas.agent.phase", "data": {}})

    assert manager.wait_for("event", type="event.seen")["data"] == {"seen": "opmas.agent.phase"}


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain"])
def test_events_of_a_time_without_a_manager_come_when_it_is_back(
    start, notify, manager_path, name
):
    start(name)
    notify.wait_for("READY=1")

    with ManagerSocket(manager_path) as manager:
        event = manager.wait_for("event", type="set.up")

    assert event["severity"] == "info"


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain"])
def test_an_agent_comes_back_when_the_manager_does(start, notify, manager_path, name):
    start(name)
    with ManagerSocket(manager_path) as first:
        first.wait_for("health")

    with ManagerSocket(manager_path) as second:
        health = second.wait_for("health")
        metrics = second.wait_for("metrics")

    assert health["status"] == "healthy"
    assert metrics["metrics"]


@pytest.mark.parametrize("raw", [b"no json\n", b"[1]\n", b"x" * 70_000])
def test_nonsense_from_the_manager_costs_the_connection_only(start, notify, manager, raw):
    agent = start("Plain")
    manager.wait_for("hello")

    manager.send_bytes(raw)

    manager.wait_for_connections(2)
    assert agent.stop() == 0


def test_an_agent_that_the_manager_denies_works_on_and_asks_again(start, notify, manager):
    manager.denies = True

    agent = start("Plain")

    manager.wait_for_connections(3)
    assert "manager away, the work goes on: no agent" in agent.log
    assert agent.stop() == 0


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain"])
def test_what_teardown_says_still_arrives(start, notify, manager, name):
    agent = start(name)
    manager.wait_for("health")

    agent.stop()

    assert manager.wait_for("event", type="torn.down")
