"""Versions that exit, hang or do not start: each by the story of an agent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.change.verdict import Cause, Decision
from opmas.core.change.weight import EXITS, Weight, needed
from tests.unit.core.watched import BEFORE, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

KEEP, UNDO, WATCH = Decision.KEEP, Decision.UNDO, Decision.WATCH
UNHEALTHY, DEGRADED = Health.UNHEALTHY, Health.DEGRADED
KILLED: dict[str, Any] = {"exit_code": "killed", "exit_status": 9, "result": "timeout"}


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
