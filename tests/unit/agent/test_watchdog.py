"""When systemd's watchdog is to be fed."""

import pytest

from opmas.agent.watchdog import NEVER, Watchdog, watchdog_period


def test_it_is_fed_at_once_and_then_every_third_of_the_period():
    watchdog = Watchdog(9.0)
    assert watchdog.is_due(100.0)

    watchdog.fed(100.0)

    assert not watchdog.is_due(102.9)
    assert watchdog.is_due(103.0)


def test_without_a_watchdog_nothing_is_due():
    watchdog = Watchdog(None)

    assert not watchdog.is_due(1e9)
    assert watchdog.next_at() == NEVER


@pytest.mark.parametrize(
    ("environ", "period"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_period_is_systemds_and_of_this_process(environ, period):
    assert watchdog_period(environ, pid=7) == period
