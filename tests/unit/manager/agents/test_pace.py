"""How often agents report when there are many."""

import pytest

from opmas.manager.agents.pace import OWN, pace


@pytest.mark.parametrize(
    ("agents", "seconds"), [(0, OWN), (300, OWN), (301, 30), (600, 30), (601, 60), (2000, 60)]
)
def test_the_more_agents_the_less_often_each_reports(agents, seconds):
    assert pace(agents, OWN) == seconds


def test_agents_that_come_and_go_at_a_bound_do_not_change_it_each_time():
    assert [pace(agents, 60.0) for agents in (599, 481, 480)] == [60.0, 60.0, 30.0]
    assert [pace(agents, 30.0) for agents in (299, 241, 240)] == [30.0, 30.0, OWN]


def test_however_many_they_wake_the_manager_at_most_twenty_times_a_second():
    """Of those that a host is made for; the default metrics interval is 15 s."""
    assert max(agents / max(15.0, pace(agents, OWN)) for agents in range(1201)) <= 20
