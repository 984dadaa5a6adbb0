"""How long an agent was in which state, and how much of the time it served."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.core.health.availability import State, availability, durations, spells

UP = State(100.0, "running", "healthy")
BAD = State(160.0, "running", "unhealthy")
DOWN = State(180.0, "backoff", "unknown")
BACK = State(200.0, "running", "healthy")
ALL = [UP, BAD, DOWN, BACK]


def test_each_state_holds_until_the_next_and_the_last_until_the_end():
    found = [(s.state.phase, s.since, s.until) for s in spells(ALL, 90.0, 300.0)]

    assert found == [
        ("running", 100.0, 160.0),
        ("running", 160.0, 180.0),
        ("backoff", 180.0, 200.0),
        ("running", 200.0, 300.0),
    ]


def test_what_began_before_the_window_is_cut_to_it():
    found = spells(ALL, 150.0, 170.0)

    assert [s.seconds for s in found] == [10.0, 10.0]


def test_the_share_of_the_time_that_it_ran_and_was_healthy():
    assert availability(spells(ALL, 100.0, 300.0)) == pytest.approx(160 / 200)


def test_only_what_is_known_counts():
    assert availability(spells([BACK], 0.0, 300.0)) == 1.0
    assert availability(spells([], 0.0, 300.0)) is None


def test_the_sums_are_told_with_the_longest_first():
    told = durations(spells(ALL, 0.0, 300.0))

    assert list(told.items()) == [
        (("running", "healthy"), 160.0),
        (("running", "unhealthy"), 20.0),
        (("backoff", "unknown"), 20.0),
    ]


@given(
    st.lists(st.builds(State, st.floats(0, 1000), st.just("running"), st.just("healthy"))),
    st.floats(0, 1000),
    st.floats(0, 1000),
)
def test_no_piece_is_outside_the_window_whatever_the_clock_did(states, one, other):
    since, until = sorted((one, other))

    for piece in spells(states, since, until):
        assert since <= piece.since <= piece.until <= until
