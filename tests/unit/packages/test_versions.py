"""Versions in the order of PEP 440."""

from __future__ import annotations

import pytest

from opmas.errors import InvalidError
from opmas.packages.versions import is_same, newest, normal, order, release, satisfies

ORDERED = [
    "nonsense", "1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.2", "1.10", "2!0.1",
]  # fmt: skip


def test_they_sort_as_pep_440_says() -> None:
    assert sorted(set(ORDERED), key=order) == ORDERED


@pytest.mark.parametrize(
    ("versions", "best"),
    [
        ([], ""),
        (["1.0", "1.2", "1.10"], "1.10"),
        (["1.0", "2.0rc1"], "1.0"),
        (["2.0rc1"], "2.0rc1"),
    ],
)
def test_the_newest_is_a_final_one_if_there_is_one(versions: list[str], best: str) -> None:
    assert newest(versions) == best


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.0-RC1", "1.0rc1", True),
        ("1.0", "1.0.0", True),
        ("1.0", "1.1", False),
        ("x", "x", True),
        ("x", "y", False),
        ("", "x", False),
    ],
)
def test_two_spellings_of_one_version(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is same


def test_the_release_and_the_normal_form() -> None:
    assert release("v1.4.0-rc.1") == (1, 4, 0)
    assert normal("v1.4.0-rc.1") == "1.4.0rc1"


@pytest.mark.parametrize(
    ("version", "specifier", "yes"),
    [
        ("1.4", ">=1.2,<2", True),
        ("2.0rc1", ">=1.2", True),
        ("1.0", "", True),
        ("1.0", "!=1.0", False),
    ],
)
def test_specifiers(version: str, specifier: str, yes: bool) -> None:
    assert satisfies(version, specifier) is yes


@pytest.mark.parametrize(("version", "specifier"), [("x", ">=1"), ("1", "newest")])
def test_what_cannot_be_read_is_said(version: str, specifier: str) -> None:
    with pytest.raises(InvalidError, match="cannot read"):
        satisfies(version, specifier)
