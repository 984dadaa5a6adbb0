"""When a value crosses a threshold."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.agents.hostwatch.hostwatch.thresholds import CALM, Change, Crossing, Rule, State, step

ABOVE = Rule(raise_at=90, clear_at=85)
BELOW = Rule(raise_at=10, clear_at=15)
SLOW = Rule(raise_at=90, clear_at=85, hold=60)

# Times and values come from the rule's own limits, and one step beside them.
VALUES = st.sampled_from([None, math.nan, 0.0, 84.9, 85.0, 85.1, 89.9, 90.0, 90.1, 100.0])
PAUSES = st.sampled_from([0.0, 1.0, 59.9, 60.0, 60.1, 1000.0])
STEPS = st.lists(st.tuples(PAUSES, VALUES), max_size=30)
RULES = st.sampled_from([ABOVE, SLOW, Rule(raise_at=85, clear_at=90), Rule(85, 90, hold=60)])


def walk(rule: Rule, steps: list[tuple[float, float | None]]):
    """Return, for each step, the time, the value, and the state and crossing that follow."""
    state, now, seen = CALM, 0.0, []
    for pause, value in steps:
        now += pause
        state, crossing = step(state, rule, value, now)
        seen.append((now, value, state, crossing))
    return seen


@pytest.mark.parametrize(
    ("rule", "value"), [(ABOVE, 90.0), (ABOVE, 100.0), (BELOW, 10.0), (BELOW, 0.0)]
)
def test_a_value_at_the_level_or_beyond_is_raised_at_once_without_a_time_to_hold(rule, value):
    state, crossing = step(CALM, rule, value, now=5.0)

    assert state == State(is_raised=True, since=5.0)
    assert crossing == Crossing(Change.RAISED, value, rule.raise_at, since=5.0)


@pytest.mark.parametrize(
    ("rule", "value"), [(ABOVE, 85.0), (ABOVE, 0.0), (BELOW, 15.0), (BELOW, 99.0)]
)
def test_a_raised_value_at_the_clear_level_or_better_is_cleared(rule, value):
    state, crossing = step(State(is_raised=True, since=5.0), rule, value, now=9.0)

    assert state == CALM
    assert crossing == Crossing(Change.CLEARED, value, rule.clear_at, since=5.0)


def test_a_value_must_hold_for_its_time():
    seen = walk(SLOW, [(0.0, 95.0), (59.9, 91.0), (0.1, 90.0)])

    assert [crossing is not None for *_, crossing in seen] == [False, False, True]
    assert seen[-1][3].since == 0.0


def test_a_dip_into_the_band_starts_the_time_anew():
    seen = walk(SLOW, [(0.0, 95.0), (30.0, 89.0), (30.0, 95.0), (59.0, 95.0)])

    assert all(crossing is None for *_, crossing in seen)


def test_a_value_that_cannot_be_read_has_not_held():
    seen = walk(SLOW, [(0.0, 95.0), (30.0, None), (30.0, 95.0)])

    assert all(crossing is None for *_, crossing in seen)


def test_a_raised_value_that_cannot_be_read_stays_raised():
    raised = State(is_raised=True, since=1.0)

    assert step(raised, ABOVE, None, now=9.0) == (raised, None)
    assert step(raised, ABOVE, math.nan, now=9.0) == (raised, None)


@given(rule=RULES, steps=STEPS)
def test_raised_and_cleared_alternate_and_begin_with_raised(rule, steps):
    changes = [crossing.change for *_, crossing in walk(rule, steps) if crossing]

    expected = [Change.RAISED, Change.CLEARED] * len(changes)
    assert changes == expected[: len(changes)]


@given(rule=RULES, steps=STEPS)
def test_nothing_happens_inside_the_band(rule, steps):
    low, high = sorted((rule.raise_at, rule.clear_at))

    inside = [
        crossing for _, value, _, crossing in walk(rule, steps) if value and low < value < high
    ]

    assert not any(inside)


@given(rule=RULES, steps=STEPS)
def test_a_raise_has_held_and_its_value_is_beyond_the_level(rule, steps):
    raised = [
        (now, crossing)
        for now, *_, crossing in walk(rule, steps)
        if crossing and crossing.change is Change.RAISED
    ]

    assert all(now - crossing.since >= rule.hold for now, crossing in raised)
    assert all(rule.raises(crossing.value) for _, crossing in raised)


@given(rule=RULES, steps=STEPS, cut=st.integers(min_value=0, max_value=30))
def test_a_restart_that_keeps_only_what_is_raised_never_repeats_a_crossing(rule, steps, cut):
    before = walk(rule, steps[:cut])
    state = before[-1][2] if before else CALM
    kept = state if state.is_raised else CALM
    changes = [crossing.change for *_, crossing in before if crossing]

    for now, value in ((1e6 + index, value) for index, (_, value) in enumerate(steps[cut:])):
        kept, crossing = step(kept, rule, value, now)
        changes += [crossing.change] if crossing else []

    expected = [Change.RAISED, Change.CLEARED] * len(changes)
    assert changes == expected[: len(changes)]
