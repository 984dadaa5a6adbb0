"""How long a change is watched."""

from __future__ import annotations

import pytest

from opmas.core.change.window import DEFAULT_WINDOW, SECONDS, Size, size, window


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1, 2, 3), (1, 2, 4), Size.MICRO),
        ((1, 2, 3), (1, 2, 3), Size.MICRO),
        ((1, 2), (1, 2, 0, 1), Size.MICRO),
        ((1, 2), (1, 2, 0), Size.MICRO),
        ((1, 2, 3), (1, 3, 3), Size.MINOR),
        ((1,), (1, 1), Size.MINOR),
        ((1, 2, 3), (2, 2, 3), Size.MAJOR),
        ((2, 0), (1, 9), Size.MAJOR),
        ((), (1,), Size.MAJOR),
    ],
)
def test_the_first_part_that_differs_is_the_size_of_an_update(before, after, expected):
    assert size(before, after) is expected


@pytest.mark.parametrize(
    ("what", "seconds"),
    [
        (Size.NONE, 0),
        (Size.LIMITS, 30),
        (Size.SETTINGS, 60),
        (Size.CONFIG, 60),
        (Size.MICRO, 60),
        (Size.MINOR, 120),
        (Size.MAJOR, 300),
    ],
)
def test_the_window_grows_with_the_size(what, seconds):
    assert window(what) == SECONDS[what] == seconds


def test_the_default_is_that_of_a_configuration():
    assert DEFAULT_WINDOW == 60


def test_a_migration_doubles_it():
    assert window(Size.MINOR, migrates=True) == 240


@pytest.mark.parametrize(
    ("what", "factor", "seconds"),
    [
        (Size.MAJOR, 10, 600),
        (Size.LIMITS, 0.1, 10),
        (Size.CONFIG, 0.5, 30),
        (Size.CONFIG, 0, 0),
        (Size.NONE, 10, 0),
    ],
)
def test_the_hosts_factor_stays_within_bounds_and_0_is_never(what, factor, seconds):
    assert window(what, factor=factor) == seconds


@pytest.mark.parametrize(("wanted", "seconds"), [(0, 0), (3, 3), (600, 600), (900, 600), (-1, 0)])
def test_the_callers_own_word_wins(wanted, seconds):
    assert window(Size.MAJOR, migrates=True, factor=0, wanted=wanted) == seconds
