from datetime import UTC, datetime, timedelta

import pytest

from opmas.cli.exits import UsageError
from opmas.cli.moments import age, local, parse_since, wire
from tests.unit.cli.builders import NOW


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("10s", timedelta(seconds=10)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_duration_counts_back_from_now(text, back):
    assert parse_since(text, NOW) == NOW - back


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31 12:00:00+00:00"]
)
def test_a_time_with_a_zone_is_that_instant(text):
    assert parse_since(text, NOW) == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_yesterday_is_a_day_before_today():
    assert parse_since("today", NOW) - parse_since("yesterday", NOW) == timedelta(days=1)


@pytest.mark.parametrize("text", ["", "soon", "10", "10 m", "99999999999d", "2026-13-01", "-1h"])
def test_what_is_no_time_is_refused_with_what_would_be(text):
    with pytest.raises(UsageError, match="write a duration such as 10m"):
        parse_since(text, NOW)


def test_an_instant_is_written_as_the_manager_writes_it():
    assert wire(NOW) == "2026-01-31T18:00:00.000000Z"


@pytest.mark.parametrize(
    ("then", "text"),
    [
        ("2026-01-31T18:00:00Z", "0s"),
        ("2026-01-31T17:59:18Z", "42s"),
        ("2026-01-31T15:49:55Z", "2h 10m"),
        ("2026-01-26T15:00:00Z", "5d 3h"),
        ("2026-02-01T00:00:00Z", "0s"),
        ("nonsense", "-"),
    ],
)
def test_an_age_has_the_two_largest_units(then, text):
    assert age(then, NOW) == text


def test_text_that_is_no_instant_is_shown_as_it_is():
    assert local("nonsense") == "nonsense"
