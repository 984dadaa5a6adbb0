"""What systemd would know, and when its deadlines are."""

import pytest

from opmas.agent.testing.unit import NEVER, Unit


@pytest.fixture
def unit():
    """Return a unit that was started at 100 and may take 30 s to be ready."""
    return Unit(notifies=True, watchdog=10, start=30, now=100)


def test_the_watchdog_is_watched_from_readiness_on(unit):
    before = unit.barks_at()

    unit.heard("READY=1", 105)

    assert (before, unit.barks_at()) == (NEVER, 115)


def test_each_feeding_moves_the_watchdog(unit):
    unit.heard("READY=1", 105)

    unit.heard("WATCHDOG=1", 110)

    assert (unit.fed, unit.barks_at()) == (1, 120)


def test_a_service_that_does_not_notify_is_active_at_once():
    unit = Unit(notifies=False, watchdog=0, start=30, now=100)

    assert (unit.state, unit.barks_at()) == ("active", NEVER)


@pytest.mark.parametrize(("seconds", "start_by"), [(50, 160), (1, 130)])
def test_a_start_may_ask_for_more_time_and_never_gets_less(unit, seconds, start_by):
    unit.heard(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}", 110)

    assert unit.start_by == start_by


def test_a_stop_may_ask_for_more_time(unit):
    unit.heard("READY=1", 105)
    unit.stopping(200, 15)

    unit.heard("EXTEND_TIMEOUT_USEC=60000000", 210)

    assert (unit.state, unit.stop_by) == ("deactivating", 270)


@pytest.mark.parametrize("line", ["", "READY", "=1", "EXTEND_TIMEOUT_USEC=soon", "X=1=2"])
def test_nonsense_changes_nothing(unit, line):
    unit.heard(line, 110)

    assert (unit.state, unit.status, unit.start_by) == ("activating", "", 130)
