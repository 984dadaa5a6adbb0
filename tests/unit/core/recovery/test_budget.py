"""The host's budget of automatic restarts."""

from __future__ import annotations

from opmas.core.recovery.budget import Budget


def test_a_burst_is_free_and_the_rest_stand_in_line():
    budget = Budget(burst=3, per_minute=30.0)
    places = []

    for _ in range(5):
        places.append(budget.at(100.0))
        budget = budget.taken(100.0)

    assert places == [100.0, 100.0, 100.0, 102.0, 104.0]


def test_time_fills_it_again():
    budget = Budget(burst=1, per_minute=60.0).taken(0.0)

    assert not budget.is_free(0.5)
    assert budget.is_free(1.0)


def test_nothing_a_minute_is_without_a_limit():
    budget = Budget(burst=1, per_minute=0.0)

    assert budget.taken(0.0) == budget
    assert budget.at(7.0) == 7.0


def test_sums_of_floats_make_nobody_wait():
    budget = Budget(burst=20, per_minute=30.0)
    now = 1.1e6

    for _ in range(10_000):
        assert budget.at(now) == now
        budget = budget.taken(now)
        now += 2.0


def test_who_stands_in_line_over_a_restart_of_the_manager_stays_before_the_others():
    budget, places = Budget(burst=3, per_minute=30.0), []
    for _ in range(5):
        places.append(budget.at(100.0))
        budget = budget.taken(100.0)

    next_one = Budget(burst=3, per_minute=30.0).resumed(p for p in places if p > 100.0)

    assert next_one.at(101.0) == budget.at(101.0) == 106.0
    assert Budget().resumed(()) == Budget()
