"""The readers: strict types, and reasons that say what to write instead."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems, shown
from opmas.core.documents.sizes import format_size

if TYPE_CHECKING:
    from opmas.core.documents.fields import Reader


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def refusal(reader: Reader[Any], value: object) -> tuple[tuple[str, str], ...]:
    with pytest.raises(FieldError) as refused:
        reader(value)
    return refused.value.faults


@pytest.mark.parametrize(
    ("reader", "value", "reason"),
    [
        (fields.text, 1.0, 'must be text, not 1.0 (put it in quotes: "1.0")'),
        (fields.text, None, "must be text, not nothing"),
        (fields.text, {}, "must be text, not a mapping"),
        (fields.text, dt.date(2024, 1, 31), "must be text, not a date"),
        (fields.line, "a\tb", 'must be one line of printable characters, not "a\\tb"'),
        (fields.line, "\ud800", 'must be one line of printable characters, not "\\ud800"'),
        (fields.flag, "yes", 'must be true or false, not "yes"'),
        (
            fields.integer(1, 5),
            6,
            "must be a whole number from 1 to 5, not 6",
        ),
        (fields.number(0, 1), True, "must be a number from 0 to 1, not true"),
        (fields.number(0, 1), float("nan"), "must be a number from 0 to 1, not nan"),
        (
            fields.one_of(Colour),
            "reed",
            'must be one of red, green, not "reed"; did you mean "red"?',
        ),
        (fields.matching(re.compile("a+"), "must be a's"), "b", 'must be a\'s, not "b"'),
        (fields.absolute_path, "x", 'must be an absolute path (it starts with "/"), not "x"'),
        (fields.absolute_path, "/a\nb", "must be a path of printable characters"),
        (fields.absolute_path, "/a/", 'must be a plain path, without "//", ".", ".." and a "/"'),
        (fields.absolute_path, f"/{'a' * 1024}", "must be a path of at most 1024 characters"),
        (fields.each(fields.text, most=1), ["a", "b"], "must have at most 1 items, not 2"),
        (fields.json_value, dt.date(2024, 1, 31), "must be a JSON value, not a date"),
        (fields.json_value, float("inf"), "must be a finite number"),
    ],
)
def test_a_reader_says_what_it_wants_and_what_it_got(
    reader: Reader[Any], value: object, reason: str
) -> None:
    ((path, found),) = refusal(reader, value)

    assert path == ""
    assert found.startswith(reason)


def test_each_wrong_item_of_a_list_is_named() -> None:
    faults = refusal(fields.each(fields.each(fields.flag)), [[True], [1, False, 2]])

    assert [path for path, _ in faults] == ["[1][0]", "[1][2]"]


def test_a_document_nested_deeper_than_json_needs_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]

    ((path, reason),) = refusal(fields.json_value, deep)

    assert (path, reason) == ("[0]" * 32, "is nested too deeply")


def test_a_key_that_is_no_text_is_a_problem_of_its_mapping() -> None:
    problems = Problems()

    Fields({True: 1}, "limits", problems).finish()

    assert problems.found == (
        (
            "limits: the key true must be text (YAML reads a bare yes, no, on, off as true or"
            " false: put it in quotes)"
        ),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 100, f'"{"x" * 56}...'),
        ([], "a list"),
        (10**99, f"1{'0' * 56}..."),
        (b"", "a bytes"),
    ],
)
def test_what_is_shown_of_a_value_is_short(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (1, "1"), (1536, "1536"), (2 << 30, "2G")])
def test_a_size_is_written_with_the_largest_unit_that_fits(size: int, text: str) -> None:
    assert format_size(size) == text
