"""What is learned of an agent, and the limits that follow from it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.resources import learning
from opmas.core.resources.learning import MIB, NO_PEAK, NOTHING, PATIENCE, Learned, Peak
from opmas.core.resources.limits import DEFAULT_LIMITS, NO_LIMITS, given

DAY = 288  # windows
STEADY = Peak(memory=100 * MIB, tasks=10, cpu=30.0)


def lived(*peaks: Peak, known: Learned = NOTHING) -> Learned:
    for peak in peaks:
        known = learning.learn(known, peak)
    return known


def fit(known: Learned, used: Peak = NO_PEAK) -> Limits:
    return learning.fitting(known, used, 30)


def proposed(known: Learned, own: Limits = NO_LIMITS, ceilings: Limits = NO_LIMITS) -> Limits:
    effective = replace(DEFAULT_LIMITS, **given(own))
    return learning.proposal(fit(known), effective, own, known, ceilings)


def test_limits_have_head_room_above_what_was_needed():
    limits = fit(lived(*[STEADY] * DAY))

    assert limits.memory_max is not None
    assert limits.memory_high is not None
    assert 130 * MIB <= limits.memory_max <= 160 * MIB
    assert 100 * MIB < limits.memory_high < limits.memory_max
    assert limits.tasks_max == 20
    assert limits.cpu_quota == 50


def test_what_came_once_a_day_still_fits():
    daily = replace(STEADY, memory=180 * MIB, tasks=40)

    limits = fit(lived(daily, *[STEADY] * (DAY - 1)))

    assert (limits.memory_max or 0) >= 180 * MIB
    assert (limits.tasks_max or 0) >= 44


def test_no_limit_is_below_what_is_used_now():
    limits = fit(lived(*[STEADY] * DAY), Peak(memory=400 * MIB, tasks=100))

    assert (limits.memory_max or 0) >= 400 * MIB
    assert (limits.tasks_max or 0) >= 100


def test_old_behaviour_is_forgotten():
    large = lived(*[replace(STEADY, memory=500 * MIB)] * 10)

    limits = fit(lived(*[STEADY] * (DAY * 31), known=large))

    assert (limits.memory_max or 0) <= 160 * MIB


def test_nothing_is_proposed_that_is_near_enough():
    known = lived(*[replace(STEADY, memory=190 * MIB, tasks=45, cpu=70.0)] * DAY)

    assert proposed(known) == NO_LIMITS


def test_what_somebody_set_is_left_alone():
    own = Limits(memory_max=300 * MIB, tasks_max=99)

    wanted = proposed(lived(*[STEADY] * DAY), own)

    assert (wanted.memory_max, wanted.memory_high, wanted.tasks_max) == (None, None, None)
    assert wanted.cpu_quota == 50


def test_what_was_learned_before_is_no_own_limit():
    own = Limits(tasks_max=100)
    known = replace(lived(*[STEADY] * DAY), applied=own)

    assert proposed(known, own).tasks_max == 20


def test_a_proposal_stays_below_the_ceiling():
    known = lived(*[replace(STEADY, memory=900 * MIB)] * DAY)

    wanted = proposed(known, ceilings=Limits(memory_max=512 * MIB))

    assert wanted.memory_max == 512 * MIB
    assert (wanted.memory_high or 0) <= 512 * MIB


@pytest.mark.parametrize(
    ("ceilings", "memory"), [(NO_LIMITS, 256 * MIB), (Limits(memory_max=2048 * MIB), 900 * MIB)]
)
def test_by_itself_nobody_gets_more_than_is_declared_unless_there_is_a_ceiling(ceilings, memory):
    wanted = Limits(memory_max=900 * MIB, memory_high=800 * MIB, tasks_max=20)

    limits = learning.automatic(wanted, DEFAULT_LIMITS, ceilings)

    assert (limits.memory_max, limits.tasks_max) == (memory, 20)
    assert (limits.memory_high or 0) <= memory


def test_limits_that_were_taken_back_are_not_tried_again_for_a_week():
    applied = Limits(tasks_max=20)
    known = Learned(windows=1000, applied=applied, tried=1000)

    assert learning.may_try(known, applied)
    assert not learning.may_try(known, NO_LIMITS)
    assert learning.may_try(replace(known, windows=1000 + PATIENCE), NO_LIMITS)


def test_a_proposal_is_news_once():
    first, same, other = Limits(tasks_max=20), Limits(tasks_max=22), Limits(tasks_max=40)

    assert learning.is_news(NO_LIMITS, first)
    assert not learning.is_news(first, same)
    assert learning.is_news(first, other)
    assert not learning.is_news(first, NO_LIMITS)


def test_a_day_of_windows_is_enough():
    known = lived(*[STEADY] * (DAY - 1))

    assert not learning.has_enough(known, 24)
    assert learning.has_enough(lived(STEADY, known=known), 24)


def test_a_host_that_asks_for_less_than_one_window_gets_a_shorter_one():
    seconds = [learning.window(hours) for hours in (24, 1, 0.05, 0.01)]

    assert seconds == [300, 300, 180, 36]
    assert not learning.has_enough(NOTHING, 0.01)
    assert learning.has_enough(lived(STEADY), 0.01)
    assert not learning.has_enough(lived(STEADY), 0.1)
    assert learning.has_enough(lived(STEADY, STEADY), 0.1)


def test_what_was_saved_is_loaded():
    known = replace(lived(STEADY, STEADY), applied=Limits(tasks_max=3), tried=2)

    loaded = learning.load_learned(json.loads(json.dumps(learning.dump_learned(known))))

    assert (loaded.windows, loaded.applied, loaded.tried) == (2, known.applied, 2)
    assert fit(loaded) == fit(known)
