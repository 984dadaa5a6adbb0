"""The watchdog is fed by progress: what stands still is not alive, whatever turns beside it."""

from __future__ import annotations

import pytest

PERIOD = 0.9


@pytest.mark.parametrize("name", ["Idle", "Plain", "OwnLoop", "LongRound", "PatientWorker"])
def test_a_plain_agent_that_gets_on_is_fed(start, notify, name):
    start(name, watchdog=PERIOD)
    notify.wait_for("READY=1")

    heard = notify.heard_for(2.5)

    assert heard.count("WATCHDOG=1") >= 6
    assert "WATCHDOG=trigger" not in heard


@pytest.mark.parametrize("name", ["AsyncPlain", "AsyncIdle"])
def test_an_asyncio_agent_that_gets_on_is_fed(start, notify, name):
    start(name, watchdog=PERIOD)
    notify.wait_for("READY=1")

    heard = notify.heard_for(2.5)

    assert heard.count("WATCHDOG=1") >= 6
    assert "WATCHDOG=trigger" not in heard


def test_a_round_that_hangs_ends_the_feeding(start, notify):
    start("StuckRun", watchdog=PERIOD)
    notify.wait_for("READY=1")
    notify.heard_for(0.5)

    assert "WATCHDOG=1" not in notify.heard_for(PERIOD)


def test_a_stuck_worker_ends_the_feeding_while_the_loop_turns(start, notify, manager):
    agent = start("Worker", watchdog=PERIOD)
    notify.wait_for("READY=1")
    manager.wait_for("hello")

    manager.offer_config(2, {"stuck": True})

    notify.wait_for("WATCHDOG=trigger")
    assert "WATCHDOG=1" not in notify.heard_for(PERIOD)
    assert "work stands still: poller: no progress for" in agent.log


@pytest.mark.parametrize(
    ("name", "activity"), [("AsyncStuckRun", "run"), ("AsyncStuckHealth", "check_health")]
)
def test_a_stuck_task_ends_the_feeding_while_the_event_loop_turns(start, notify, name, activity):
    agent = start(name, watchdog=PERIOD)
    notify.wait_for("READY=1")

    notify.wait_for("WATCHDOG=trigger")

    assert "WATCHDOG=1" not in notify.heard_for(PERIOD)
    assert f"work stands still: {activity}: no progress for" in agent.log


def test_a_stuck_task_is_cancelled_when_the_agent_is_to_end(start, notify):
    agent = start("AsyncStuckRun")
    notify.wait_for("READY=1")

    assert agent.stop() == 0


def test_a_bug_in_a_worker_ends_the_agent(start, notify):
    agent = start("BrokenWorker")

    assert agent.wait() == 1
    assert "worker poller failed: IndexError" in agent.log
