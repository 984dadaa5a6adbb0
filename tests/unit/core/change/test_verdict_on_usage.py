"""Versions that take more memory or processor time than the one before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.change.verdict import Cause, Decision
from tests.unit.core.watched import BEFORE, MIB, Watched

KEEP, UNDO = Decision.KEEP, Decision.UNDO
UNSTEADY = replace(BEFORE, restarts_per_hour=1.0)


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
