"""Bad versions are undone, what came from outside is not: each by the story of an agent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.change.cause import EXCUSES, GATES, SENTENCES, TROUBLES
from opmas.core.change.evidence import Baseline, Surroundings
from opmas.core.change.verdict import Cause, Decision, judge
from opmas.core.change.weight import EXITS, Weight, needed
from tests.unit.core.watched import BEFORE, MIB, QUIET, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

KEEP, UNDO, WATCH = Decision.KEEP, Decision.UNDO, Decision.WATCH
UNHEALTHY, DEGRADED = Health.UNHEALTHY, Health.DEGRADED
DISK = Surroundings(disk_free=0.0, disk_free_bytes=0)
DEPENDENCY = Surroundings(dependencies_down=("db",))
PEERS = Surroundings(peers_worse=("web-2",))
LOAD = Surroundings(cpu_pressure=95.0)
MEMORY = Surroundings(memory_pressure=50.0)
KILLED: dict[str, Any] = {"exit_code": "killed", "exit_status": 9, "result": "timeout"}


def test_a_good_version_is_kept_when_the_window_is_over():
    web = Watched().started().to_the_end(memory=0.1)

    assert (web.decision, web.cause, web.decided_at) == (KEEP, None, 60)


def test_a_good_version_is_watched_until_then():
    web = Watched().started().lives(57)

    assert web.decision is WATCH
    assert web.verdict is not None
    assert web.verdict.sentence == "it is watched for 1 more seconds"


def test_the_facts_of_a_good_version_compare_it_with_before():
    web = Watched().started().to_the_end()

    assert web.verdict is not None
    assert web.verdict.facts == (
        "It is running and healthy, up for 58 s.",
        "Since the change: exits 0, errors 0.",
        "It uses 5.0% of a CPU; before the change 5.0%.",
        "It holds 1 MiB; before the change 20 MiB.",
    )


# Exits.


def test_it_exits_at_once():
    web = Watched().starts().exits().lives(1).exits()

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.FAILED_TO_START, 1)


def test_it_cannot_be_executed():
    web = Watched().starts().exits(203).exits(203)

    assert (web.decision, web.cause) == (UNDO, Cause.FAILED_TO_START)


def test_its_check_before_the_start_fails_without_an_exit_of_its_own():
    web = Watched().starts().has(restarts=1).lives(1).has(restarts=2)

    assert (web.decision, web.cause) == (UNDO, Cause.FAILED_TO_START)


def test_it_exits_while_it_starts_and_systemd_ends_what_is_left_of_it():
    web = Watched().starts().is_told_to_stop()

    web.has(exit_at=1.0, exit_code="exited", exit_status=78, result="exit-code")

    assert (web.decision, web.cause) == (UNDO, Cause.CONFIG_ERROR)


def test_it_comes_up_at_the_second_try():
    web = Watched().starts().exits().lives(1).comes_up().to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_exits_right_after_it_came_up_and_again():
    web = Watched().started().lives(1).exits().lives(1).comes_up().lives(1).exits()

    assert (web.decision, web.cause) == (UNDO, Cause.FAILED_TO_START)


def test_it_exits_after_40_seconds():
    web = Watched().started().lives(38).exits()

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.EXITED, 40)


def test_it_crashes_after_40_seconds():
    web = Watched().started().lives(38).crashes()

    assert (web.decision, web.cause) == (UNDO, Cause.EXITED)


def test_the_exit_is_told_with_its_figures():
    web = Watched().started().lives(38).exits(3)

    assert web.verdict is not None
    assert web.verdict.sentence == "it is undone: it ended by itself, which it did not do before"
    assert web.verdict.facts == (
        "It ended once by itself: the last time it exited with status 3 (exit-code).",
        "Before the change: never.",
    )


def test_it_ends_without_an_error():
    web = Watched().started().lives(9).is_given_up(Reason.CLEAN_EXIT, Phase.STOPPED)

    assert (web.decision, web.cause) == (UNDO, Cause.EXITED)


def test_it_refuses_its_configuration():
    web = Watched().starts().exits(78)

    assert (web.decision, web.cause) == (UNDO, Cause.CONFIG_ERROR)


def test_it_is_given_up_for_its_configuration_and_nothing_else_was_seen():
    web = Watched().starts().is_given_up(Reason.EXIT_CONFIG, Phase.FAILED)

    assert (web.decision, web.cause) == (UNDO, Cause.CONFIG_ERROR)


def test_it_vetoes_its_configuration_and_runs_on():
    web = Watched().started().says(DEGRADED, "config-refused")

    assert (web.decision, web.cause) == (UNDO, Cause.CONFIG_ERROR)


@pytest.mark.parametrize("reason", [Reason.UNIT_ERROR, Reason.START_LIMIT])
def test_systemd_cannot_start_it(reason):
    web = Watched().starts().is_given_up(reason)

    assert (web.decision, web.cause) == (UNDO, Cause.FAILED_TO_START)


def test_its_package_goes():
    web = Watched().started().is_given_up(Reason.PACKAGE_MISSING, Phase.STOPPED)

    assert (web.decision, web.cause) == (UNDO, Cause.FAILED_TO_START)


def test_it_hangs_in_its_start():
    web = Watched().starts().lives(30).is_killed(15, "timeout")

    assert (web.decision, web.cause) == (UNDO, Cause.START_TIMEOUT)


def test_it_hangs_in_its_start_and_is_told_to_end_by_systemd():
    web = Watched().starts().lives(30).is_told_to_stop().lives(1)

    web.has(exit_at=1.0, **KILLED)

    assert (web.decision, web.cause) == (UNDO, Cause.START_TIMEOUT)


def test_it_tries_to_start_again_and_again():
    web = Watched().starts().has(codes=("agent-error",)).lives(10)

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.START_TIMEOUT, 8)


def test_it_starts_at_the_second_try_of_its_own():
    web = Watched().starts().has(codes=("agent-error",)).lives(7).has(codes=()).comes_up()

    web.to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_tries_to_start_again_and_again_because_something_outside_is_away():
    web = Watched().starts().has(codes=("dependency-away",)).to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.OUTSIDE_SERVER)


def test_it_is_given_up_after_one_exit_in_its_start():
    web = Watched().starts().exits().is_given_up()

    assert (web.decision, web.cause) == (UNDO, Cause.FAILED_TO_START)


def test_it_is_still_starting_when_the_window_is_over():
    web = Watched().starts().to_the_end()

    assert (web.decision, web.cause) == (UNDO, Cause.START_TIMEOUT)


def test_it_hangs_later():
    web = Watched().started().lives(20).is_killed(6, "watchdog")

    assert (web.decision, web.cause) == (UNDO, Cause.HUNG)


def test_it_makes_no_progress_and_has_no_watchdog():
    web = Watched().started().to_the_end(progress=0)

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.HUNG, 32)


def test_it_always_had_little_to_do():
    web = Watched(replace(BEFORE, progress_per_minute=2.0)).started().to_the_end(progress=0)

    assert web.decision is KEEP


@pytest.mark.parametrize("restarts", ["by OPMAS", "by systemctl"])
def test_it_has_to_be_killed_when_it_is_restarted(restarts):
    reason = Reason.REQUESTED if restarts == "by OPMAS" else Reason.SYSTEMCTL
    web = Watched().started().lives(10).is_told_to_stop(reason).lives(15)

    web.has(exit_at=1.0, **KILLED).starts()

    assert (web.decision, web.cause) == (UNDO, Cause.STOP_IGNORED)


def test_the_version_before_had_to_be_killed_too():
    web = Watched(exit_at=0.5, **KILLED).started().lives(10).is_told_to_stop().lives(15)

    web.has(exit_at=1.0).starts().lives(2).comes_up().to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.WAS_FAILING)


def test_how_the_version_before_ended_is_not_held_against_the_new_one():
    web = Watched(exit_at=0.5, **KILLED).started().to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_a_restart_that_was_asked_for_is_no_exit():
    web = Watched().started().lives(10).is_told_to_stop()

    web.has(exit_at=1.0, exit_code="exited", exit_status=1, result="exit-code")
    web.started().to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_a_restart_that_was_asked_for_and_seen_late_is_no_exit():
    web = Watched().started().lives(10)

    web.has(
        phase=Phase.STARTING,
        reason=Reason.REQUESTED,
        invocation="run-2",
        exit_at=1.0,
        exit_code="exited",
        exit_status=1,
        result="exit-code",
    )

    assert web.decision is WATCH
    assert web.watch.exits == ()


def test_it_served_and_had_to_be_killed_whoever_told_it_to_stop():
    web = Watched().started().lives(10).is_killed(9, "timeout")

    assert (web.decision, web.cause) == (UNDO, Cause.STOP_IGNORED)


def test_a_restart_that_was_asked_for_as_the_window_ends_is_no_failure():
    web = Watched().started().lives(57).is_told_to_stop().lives(1).starts().lives(1)

    assert (web.decision, web.cause) == (KEEP, None)


def test_somebody_kills_it_once():
    web = Watched().started().lives(20).is_killed().lives(1).comes_up().to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_is_killed_twice():
    web = Watched().started().lives(20).is_killed().lives(1).comes_up().lives(5).is_killed()

    assert (web.decision, web.cause) == (UNDO, Cause.CRASH_LOOP)


def test_one_exit_that_shows_in_two_steps_counts_once():
    web = Watched().started().has(exit_at=1.0, exit_code="exited", exit_status=1)

    web.has(result="exit-code").has(phase=Phase.STARTING, reason=Reason.AUTO_RESTART, restarts=1)

    assert web.watch.exits_seen == 1


UNSTEADY = replace(BEFORE, restarts_per_hour=1.0)
SHAKY = replace(BEFORE, restarts_per_hour=60.0)


@pytest.mark.parametrize(
    ("baseline", "exits", "decision"),
    [
        (replace(BEFORE, restarts_per_hour=0.01), 1, UNDO),  # one in four days
        (UNSTEADY, 1, KEEP),
        (UNSTEADY, 2, UNDO),
        (SHAKY, 4, KEEP),
        (SHAKY, 5, UNDO),
    ],
)
def test_the_habit_of_before_decides_how_many_exits_are_too_many(baseline, exits, decision):
    web = Watched(baseline).started()
    for _ in range(exits):
        web.lives(5).exits().lives(1).comes_up()

    web.to_the_end()

    assert web.decision is decision


ROWS: dict[Weight, tuple[int, int, Callable[[Watched], Watched]]] = {
    Weight.FINAL: (1, 1, lambda web: web.lives(5).exits(78)),
    Weight.PLAIN: (1, 2, lambda web: web.lives(5).exits()),
    Weight.EARLY: (2, 2, lambda web: web.lives(1).exits()),
    Weight.SENT: (2, 3, lambda web: web.lives(5).is_killed()),
}


@pytest.mark.parametrize("row", range(2), ids=["steady", "unsteady"])
@pytest.mark.parametrize("kind", ROWS)
def test_every_row_of_the_table_of_exits(kind, row):
    web = Watched((BEFORE, UNSTEADY)[row]).started()
    *counts, story = ROWS[kind]
    count = EXITS[kind][row]

    decisions = [story(web).lives(1).comes_up().decision for _ in range(count)]

    assert decisions == [WATCH] * (count - 1) + [UNDO]
    assert EXITS[kind] == tuple(counts)


def test_exits_that_prove_more_count_for_those_that_prove_less():
    web = Watched(UNSTEADY).started().lives(5).exits().lives(1).comes_up().lives(1).exits()

    assert web.decision is UNDO


def test_one_exit_of_its_own_among_those_of_an_outage_is_enough_when_it_is_given_up():
    web = Watched(UNSTEADY).started().lives(5).exits().lives(1).comes_up().lives(5).exits(69)
    assert web.decision is WATCH

    web.is_given_up()

    assert (web.decision, web.cause) == (UNDO, Cause.CRASH_LOOP)


def test_what_is_not_excused_counts_beside_what_is():
    web = Watched().started().lives(5).exits(69).exits(69).lives(1).comes_up()

    web.says(UNHEALTHY, "bug").to_the_end()

    assert (web.decision, web.cause) == (UNDO, Cause.UNHEALTHY)


def test_only_the_programs_own_word_is_final_whatever_the_habit():
    assert [needed(kind, 100.0) > 1 for kind in Weight] == [False, True, True, True]


# Memory and CPU.


def test_a_leak_into_the_limit_that_the_kernel_ends():
    web = Watched().started().lives(10, memory=20).is_killed(9, "oom-kill")

    assert (web.decision, web.cause) == (UNDO, Cause.OUT_OF_MEMORY)


def test_a_helper_of_it_is_killed_for_its_memory():
    web = Watched().started().lives(10, memory=20).has(oom_kills=1)

    assert (web.decision, web.cause) == (UNDO, Cause.OUT_OF_MEMORY)


def test_it_was_killed_for_its_memory_before_too():
    web = (
        Watched(UNSTEADY).started().lives(10, memory=20).is_killed(9, "oom-kill").has(oom_kills=1)
    )

    web.lives(1).comes_up().to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_a_leak_that_the_high_mark_slows_down():
    web = Watched().started().lives(10, memory=19).to_the_end(throttled=3)

    assert (web.decision, web.cause) == (UNDO, Cause.MEMORY_LEAK)
    assert web.decided_at is not None
    assert web.decided_at < 20


def test_a_leak_that_nothing_slows_down():
    web = Watched().started().to_the_end(memory=8)

    assert (web.decision, web.cause) == (UNDO, Cause.MEMORY_LEAK)


def test_a_slow_leak_is_seen_when_the_window_is_over():
    web = Watched().started().to_the_end(memory=1)

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.MEMORY_LEAK, 60)


def test_memory_that_is_taken_once_is_no_leak():
    web = Watched().started().lives(5, memory=38).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_memory_that_is_taken_late_but_once_is_no_leak():
    web = Watched().started().lives(30).lives(5, memory=9).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_memory_that_grows_too_slowly_to_matter_soon():
    baseline = replace(BEFORE, memory_bytes=5 * MIB)

    web = Watched(baseline).started().to_the_end(memory=0.27)

    assert (web.decision, web.cause) == (KEEP, None)


def test_memory_that_the_version_before_used_too_is_no_leak():
    web = Watched(replace(BEFORE, memory_bytes=150 * MIB)).started().to_the_end(memory=3.5)

    assert (web.decision, web.cause) == (KEEP, None)


def test_ten_times_the_cpu_in_a_long_window():
    web = Watched(window=300.0).started().to_the_end(cpu=0.5)

    assert (web.decision, web.cause) == (UNDO, Cause.CPU)
    assert web.decided_at is not None
    assert web.decided_at < 70


@pytest.mark.parametrize("window", [20.0, 30.0, 60.0])
def test_ten_times_the_cpu_in_a_short_window(window):
    web = Watched(window=window).started().to_the_end(cpu=0.5)

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.CPU, window)


def test_cpu_that_rises_in_the_second_half_of_the_window():
    web = Watched().started().lives(32).to_the_end(cpu=0.5)

    assert (web.decision, web.cause) == (UNDO, Cause.CPU)


@pytest.mark.parametrize("seconds", [5, 20, 35])
def test_a_costly_start_is_no_regression(seconds):
    web = Watched().started().lives(seconds, cpu=1.0).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


@pytest.mark.parametrize(("before", "after"), [(0.05, 0.2), (0.3, 0.8), (0.001, 0.15)])
def test_cpu_that_is_not_clearly_more(before, after):
    web = Watched(replace(BEFORE, cpu_rate=before)).started().to_the_end(cpu=after)

    assert (web.decision, web.cause) == (KEEP, None)


def test_cpu_without_anything_to_compare_with():
    web = Watched(replace(BEFORE, cpu_rate=None)).started().to_the_end(cpu=1.0)

    assert (web.decision, web.cause) == (KEEP, None)


# Health and errors.


def test_its_health_turns_bad():
    web = Watched().started().lives(20).says(UNHEALTHY).to_the_end()

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.UNHEALTHY, 27)


def test_its_health_is_bad_for_a_moment():
    web = Watched().started().lives(20).says(UNHEALTHY).lives(4).says(Health.HEALTHY).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_is_degraded_until_the_end():
    web = Watched().started().says(DEGRADED, "agent-error").to_the_end()

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.DEGRADED, 60)


def test_it_is_degraded_for_a_while():
    web = Watched().started().says(DEGRADED).lives(40).says(Health.HEALTHY).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_is_degraded_for_the_last_seconds_only():
    web = Watched().started().lives(45).says(DEGRADED).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_was_degraded_before():
    baseline = replace(BEFORE, health=DEGRADED)

    web = Watched(baseline).started().says(UNHEALTHY).to_the_end()

    assert (web.decision, web.cause) == (KEEP, Cause.WAS_FAILING)


def test_it_was_degraded_before_and_now_it_crashes():
    web = Watched(replace(BEFORE, health=DEGRADED)).started().lives(20).exits()

    assert (web.decision, web.cause) == (UNDO, Cause.EXITED)


def test_it_emits_errors():
    web = Watched().started().to_the_end(errors=1)

    assert (web.decision, web.cause, web.decided_at) == (UNDO, Cause.ERRORS, 13)


def test_a_few_errors_are_a_coincidence():
    web = Watched().started().lives(50).lives(4, errors=1).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_errors_at_the_end_of_the_window():
    web = Watched().started().lives(50).to_the_end(errors=1)

    assert (web.decision, web.cause) == (UNDO, Cause.ERRORS)


def test_errors_of_the_start_that_are_over():
    web = Watched().started().lives(8, errors=2).to_the_end()

    assert (web.decision, web.cause) == (KEEP, None)


def test_it_always_emitted_errors():
    web = Watched(replace(BEFORE, errors_per_minute=40.0)).started().to_the_end(errors=1)

    assert (web.decision, web.cause) == (KEEP, None)


# What excuses it.


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
