"""What came from outside is not held against a version, and what makes it no excuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.change.cause import EXCUSES, GATES, SENTENCES, TROUBLES
from opmas.core.change.evidence import Baseline, Surroundings
from opmas.core.change.verdict import Cause, Decision, judge
from tests.unit.core.watched import BEFORE, MIB, QUIET, Watched

KEEP, UNDO, WATCH = Decision.KEEP, Decision.UNDO, Decision.WATCH
UNHEALTHY, DEGRADED = Health.UNHEALTHY, Health.DEGRADED
DISK = Surroundings(disk_free=0.0, disk_free_bytes=0)
DEPENDENCY = Surroundings(dependencies_down=("db",))
PEERS = Surroundings(peers_worse=("web-2",))
LOAD = Surroundings(cpu_pressure=95.0)
MEMORY = Surroundings(memory_pressure=50.0)
KILLED: dict[str, Any] = {"exit_code": "killed", "exit_status": 9, "result": "timeout"}


def test_a_new_agent_has_nothing_to_go_back_to():
    web = Watched(Baseline(existed=False, wanted=False, up=False)).starts().exits().exits()

    web.is_given_up().to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.NOTHING_BEFORE)


def test_it_did_not_run_before():
    web = Watched(replace(BEFORE, wanted=False, up=False)).started().lives(20).exits()

    web.to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.WAS_NOT_RUNNING)


@pytest.mark.parametrize(
    "baseline",
    [replace(BEFORE, up=False), replace(BEFORE, health=UNHEALTHY), replace(BEFORE, failures=1)],
)
def test_it_was_failing_before(baseline):
    web = Watched(baseline).starts().exits().exits().is_given_up().to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.WAS_FAILING)


def test_it_was_failing_before_and_is_well_now():
    web = Watched(replace(BEFORE, up=False)).started().to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


@pytest.mark.parametrize(
    "how",
    [
        {"phase": Phase.STOPPED, "reason": Reason.HELD, "held": True},
        {"phase": Phase.STOPPED, "reason": Reason.REQUESTED, "desired": Desired.STOPPED},
        {"phase": Phase.FAILED, "reason": Reason.MASKED},
        {"phase": Phase.STOPPING, "reason": Reason.SYSTEMCTL},
    ],
)
def test_somebody_stops_it(how):
    web = Watched().started().lives(20).has(health=Health.UNKNOWN, **how)
    assert web.decision is WATCH

    web.to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.STOPPED_BY_ADMIN)


def test_it_is_not_to_run_and_there_is_nothing_to_watch():
    baseline = replace(BEFORE, wanted=False, up=False)
    web = Watched(baseline).has(desired=Desired.STOPPED)

    assert (web.decision, web.cause, web.decided_at) == (KEEP, Cause.WAS_NOT_RUNNING, 0)


def test_it_is_not_watched_at_all():
    web = Watched(window=0.0).starts()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_waits_for_its_turn_all_the_time():
    web = Watched().has(phase=Phase.STARTING, reason=Reason.REQUESTED).to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.NOT_STARTED)


def test_what_ended_does_not_wait_for_its_turn():
    web = Watched().has(phase=Phase.STARTING, reason=Reason.REQUESTED)

    web.has(exit_at=1.0, exit_code="exited", exit_status=78, result="exit-code")

    assert (web.decision, web.cause) == (UNDO, Cause.CONFIG_ERROR)


def test_opmas_cannot_save_a_decision():
    web = Watched()
    web.around = Surroundings(database_ok=False)
    web.started().lives(20).exits().lives(1).comes_up().lives(10)
    assert (web.decision, web.cause) == (WATCH, Cause.DATABASE_DOWN)

    web.around = QUIET
    web.lives(1)

    assert (web.decision, web.cause) == (UNDO, Cause.EXITED)


STORIES = {
    Cause.EXITED: lambda web: web.started().lives(20).exits(),
    Cause.CRASH_LOOP: lambda web: (
        web.started().lives(20).is_killed().lives(1).comes_up().lives(4).is_killed()
    ),
    Cause.FAILED_TO_START: lambda web: web.starts().exits().exits(),
    Cause.START_TIMEOUT: lambda web: web.starts().lives(30).is_killed(15, "timeout"),
    Cause.HUNG: lambda web: web.started().lives(20).is_killed(6, "watchdog"),
    Cause.CONFIG_ERROR: lambda web: web.starts().exits(78),
    Cause.OUT_OF_MEMORY: lambda web: web.started().lives(20).is_killed(9, "oom-kill"),
    Cause.MEMORY_LEAK: lambda web: web.started().lives(10, memory=19).to_the_end(throttled=3),
    Cause.CPU: lambda web: web.started().to_the_end(cpu=0.5),
    Cause.ERRORS: lambda web: web.started().to_the_end(errors=1),
    Cause.UNHEALTHY: lambda web: web.started().says(UNHEALTHY).to_the_end(),
    Cause.DEGRADED: lambda web: web.started().says(DEGRADED).to_the_end(),
    Cause.STOP_IGNORED: lambda web: (
        web.started().lives(10).is_told_to_stop().has(exit_at=9.0, **KILLED).starts()
    ),
}
AROUND = {
    Cause.SAME_ELSEWHERE: PEERS,
    Cause.DISK_FULL: DISK,
    Cause.DEPENDENCY_DOWN: DEPENDENCY,
    Cause.HOST_OVERLOADED: LOAD,
    Cause.HOST_MEMORY: MEMORY,
}


def test_every_cause_has_its_story():
    judged = set(Cause) - set(GATES) - set(TROUBLES) - {Cause.MIGRATION_FAILED}

    assert set(STORIES) == judged
    assert set(AROUND) == set(TROUBLES) - {Cause.OUTSIDE_SERVER}
    assert set(SENTENCES) == set(Cause)


@pytest.mark.parametrize("cause", STORIES)
def test_each_bad_thing_is_undone_in_quiet_surroundings(cause):
    web = Watched()

    STORIES[cause](web)

    assert (web.decision, web.cause) == (UNDO, cause)


@pytest.mark.parametrize(("cause", "excuse"), [(c, e) for c in STORIES for e in AROUND])
def test_each_trouble_excuses_what_the_table_says_and_nothing_else(cause, excuse):
    web = Watched()
    web.around = AROUND[excuse]

    STORIES[cause](web)
    excused = excuse in EXCUSES[cause]

    if not excused:
        assert (web.decision, web.cause) == (UNDO, cause)
    else:
        assert web.decision is not UNDO
        assert web.cause is excuse


@pytest.mark.parametrize("excuse", AROUND)
def test_what_broke_in_a_trouble_is_not_held_against_the_version_when_it_is_over(excuse):
    web = Watched(window=300.0)
    web.around = AROUND[excuse]
    web.started().lives(20).is_killed(6, "watchdog" if "host" in excuse else "signal")
    web.lives(1).comes_up()
    assert web.decision is WATCH

    web.around = QUIET
    web.to_the_end()

    assert (web.decision, web.cause) == (KEEP, excuse)


@pytest.mark.parametrize("excuse", AROUND)
def test_what_breaks_long_after_a_trouble_is_not_excused_by_it(excuse):
    web = Watched(window=300.0)
    web.around = AROUND[excuse]
    web.started().lives(20)

    web.around = QUIET
    web.lives(40).exits()

    assert (web.decision, web.cause) == (UNDO, Cause.EXITED)


@pytest.mark.parametrize("status", [68, 69, 75])
def test_it_ends_because_something_outside_is_away(status):
    web = Watched().started().lives(10).exits(status).exits(status).exits(status).is_given_up()
    assert (web.decision, web.cause) == (WATCH, Cause.OUTSIDE_SERVER)

    web.to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.OUTSIDE_SERVER)


@pytest.mark.parametrize(
    "codes", [("http-503",), ("http-429", "dns-failed"), ("dependency-away",), ("outside-scale",)]
)
def test_it_is_unhealthy_because_something_outside_is_away(codes):
    web = Watched().started().says(UNHEALTHY, *codes).to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.OUTSIDE_SERVER)


def test_the_server_comes_back():
    web = Watched().started().says(UNHEALTHY, "http-503").lives(20, errors=1)

    web.says(Health.HEALTHY).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


@pytest.mark.parametrize("codes", [("http-503", "parse-error"), ("",), ("http-404",)])
def test_it_is_unhealthy_not_only_because_something_outside_is_away(codes):
    web = Watched().started().says(UNHEALTHY, *codes).to_the_end()

    assert (web.decision, web.cause) == (UNDO, Cause.UNHEALTHY)


def test_a_version_that_loads_the_host_itself_is_not_excused_by_the_load():
    web = Watched()
    web.around = LOAD

    web.started().lives(20, cpu=1.0).is_killed(6, "watchdog")

    assert (web.decision, web.cause) == (UNDO, Cause.HUNG)


def test_a_version_that_fills_its_memory_is_not_excused_by_the_pressure():
    web = Watched()
    web.around = MEMORY

    web.started().lives(10, memory=19).is_killed(9, "oom-kill")

    assert (web.decision, web.cause) == (UNDO, Cause.OUT_OF_MEMORY)


def test_a_slow_stop_of_an_overloaded_host_is_excused():
    web = Watched()
    web.around = LOAD

    STORIES[Cause.STOP_IGNORED](web)

    assert (web.decision, web.cause) == (WATCH, Cause.HOST_OVERLOADED)


@pytest.mark.parametrize("cause", STORIES)
def test_the_manager_may_be_restarted_in_between(cause):
    web = Watched()
    web.restarts_manager = True

    STORIES[cause](web)

    assert (web.decision, web.cause) == (UNDO, cause)


@pytest.mark.parametrize("cause", STORIES)
def test_every_verdict_says_why_with_facts(cause):
    web = Watched()

    STORIES[cause](web)

    assert web.verdict is not None
    assert web.verdict.sentence == f"it is undone: {SENTENCES[cause]}"
    assert web.verdict.facts
    assert all(fact.endswith(".") for fact in web.verdict.facts)


def test_an_excuse_is_told_with_its_figure():
    web = Watched()
    web.around = Surroundings(disk_free=0.0001, disk_free_bytes=3 * MIB)

    web.started().lives(20).exits()

    assert web.verdict is not None
    assert web.verdict.sentence == (
        "it is watched on: it ended by itself, which it did not do before, but the disk is full"
    )
    assert web.verdict.facts[-1] == "The file system of its data has 3 MiB free (0.0%)."


def test_the_sighting_of_the_moment_counts_also_when_it_was_not_taken_yet():
    web = Watched().started().lives(20)
    crashed = replace(web.now, restarts=1, exit_at=5.0, exit_code="exited", exit_status=1)

    verdict = judge(web.watch, crashed, QUIET, elapsed=web.elapsed, window=60.0)

    assert (verdict.decision, verdict.cause) == (UNDO, Cause.EXITED)
