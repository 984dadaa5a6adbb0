"""What was undone is not tried again by itself for a while, longer each time."""

from __future__ import annotations

import json

import pytest

from opmas.core.change.knownbad import (
    FIRST,
    LONGEST,
    Bad,
    dump_bad,
    is_barred,
    key,
    load_bad,
    remember,
)

HOUR = 3600
DAY = 24 * HOUR
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("times", "delay"),
    [(1, HOUR), (2, 2 * HOUR), (3, 4 * HOUR), (9, 256 * HOUR), (10, 14 * DAY), (5000, 14 * DAY)],
)
def test_the_delay_doubles_up_to_two_weeks(times, delay):
    before = None if times == 1 else Bad(times - 1, NOW, "exited")

    bad = remember(before, NOW, "cpu")

    assert bad == Bad(times, NOW + delay, "cpu")


def test_the_bounds_are_an_hour_and_two_weeks():
    assert (FIRST, LONGEST) == (HOUR, 14 * DAY)


@pytest.mark.parametrize(
    ("after", "barred"),
    [(0, True), (HOUR - 1, True), (HOUR, False), (DAY, False), (-DAY, True), (-15 * DAY, False)],
)
def test_it_is_barred_until_then_and_never_for_more_than_two_weeks(after, barred):
    bad = remember(None, NOW)

    assert is_barred(bad, NOW + after) is barred


def test_what_was_never_undone_is_not_barred():
    assert not is_barred(None, NOW)


def test_a_version_and_one_configuration_of_it_are_told_apart():
    keys = {key("web", "1.0"), key("web", "1.0", "abc"), key("web", "1.1"), key("db", "1.0")}

    assert len(keys) == 4


def test_it_is_saved_and_loaded():
    bad = remember(None, NOW, "hung")

    assert load_bad(json.loads(json.dumps(dump_bad(bad)))) == bad
