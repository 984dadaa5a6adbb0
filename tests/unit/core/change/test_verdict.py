"""A good version is kept; one whose health or whose errors are worse is undone."""

from __future__ import annotations

from dataclasses import replace

from opmas.core.agent.terms import Health
from opmas.core.change.verdict import Cause, Decision
from tests.unit.core.watched import BEFORE, Watched

KEEP, UNDO, WATCH = Decision.KEEP, Decision.UNDO, Decision.WATCH
UNHEALTHY, DEGRADED = Health.UNHEALTHY, Health.DEGRADED


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
