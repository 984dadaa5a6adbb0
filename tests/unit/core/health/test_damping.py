"""What is shown of health that changes to and fro."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.core.agent.terms import Health
from opmas.core.health.damping import HOLD, MOST, STEADY, WINDOW, Damping, damped, down
from opmas.core.health.report import RANK

H, U, D, B = Health.HEALTHY, Health.UNKNOWN, Health.DEGRADED, Health.UNHEALTHY

steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, HOLD - 1, HOLD, WINDOW / 3, WINDOW - 1, WINDOW]),
        st.sampled_from(list(Health)),
    ),
    max_size=60,
)


def course(*told: tuple[float, Health]) -> Damping:
    damping = STEADY
    for at, status in told:
        damping = damped(damping, status, at)
    return damping


def flapping(until: float = 7.0) -> Damping:
    """One that got well twice within seconds, and is bad again; since `until` it is well."""
    return course((0, H), (1, B), (2, H), (3, B), (4, H), (5, B), (until, H))


def test_what_gets_worse_is_shown_at_once():
    assert course((0, H), (1, D)).status is D
    assert course((0, H), (1, D), (2, B)).status is B


def test_what_gets_better_is_shown_at_once_when_it_happens_seldom():
    assert course((0, H), (1, B), (2, H)).status is H


def test_one_that_comes_up_is_shown_as_it_is():
    assert course((0, B)).status is B
    assert course((0, B)).changes == ()


def test_one_that_flaps_is_shown_bad_until_it_has_held():
    damping = flapping()

    assert damping.status is B
    assert damping.better is H
    assert damping.due is not None


def test_it_is_shown_well_when_it_held_and_the_window_has_room():
    damping = flapping()
    assert damping.due is not None

    assert damped(damping, H, damping.due - 0.01).status is B
    assert damped(damping, H, damping.due).status is H


def test_a_relapse_starts_the_patience_anew():
    damping = flapping()

    relapsed = damped(damping, B, 10.0)
    again = damped(relapsed, H, 20.0)

    assert relapsed.better is None
    assert again.better_since == 20.0


def test_what_holds_is_the_level_that_was_never_left():
    damping = damped(flapping(), D, 8.0)

    assert damping.better is D
    assert damping.better_since == 7.0


def test_what_is_shown_at_last_may_be_better_still():
    damping = damped(flapping(), D, 8.0)
    assert damping.due is not None

    late = damped(damping, H, damping.due + WINDOW)

    assert late.status is H


def test_one_that_goes_down_shows_nothing_and_is_remembered():
    damping = down(flapping())

    assert damping.status is None
    assert damping.changes == flapping().changes
    assert down(damping) is damping


@given(steps)
def test_no_worsening_is_ever_hidden(told):
    now, damping = 0.0, STEADY
    for later, status in told:
        now += later
        damping = damped(damping, status, now)

        assert damping.status is not None
        assert RANK[damping.status] >= RANK[status]


@given(steps)
def test_no_window_has_more_changes_than_allowed(told):
    now, damping, changes = 0.0, STEADY, []
    for later, status in told:
        now += later
        before = damping.status
        damping = damped(damping, status, now)
        if before is not None and damping.status is not before:
            changes.append(now)

        assert len([at for at in changes if at > now - WINDOW]) <= MOST


@given(steps)
def test_what_is_told_twice_is_as_told_once(told):
    now, damping = 0.0, STEADY
    for later, status in told:
        now += later
        damping = damped(damping, status, now)

        assert damped(damping, status, now) == damping


@given(steps, st.sampled_from(list(Health)))
def test_what_lasts_is_shown_in_the_end(told, status):
    now, damping = 0.0, STEADY
    for later, each in told:
        now += later
        damping = damped(damping, each, now)

    damping = damped(damping, status, now)
    while damping.due is not None:
        assert damping.due > now
        now = damping.due
        damping = damped(damping, status, now)

    assert damping.status is status


@pytest.mark.parametrize("better", [H, U, D])
def test_a_single_recovery_is_never_delayed(better):
    assert course((0, better), (1, B), (2, better)).status is better
