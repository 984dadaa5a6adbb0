"""Which values of a configuration a schema calls secret, and that they are not shown."""

from __future__ import annotations

from typing import Any

import pytest

from opmas.core.documents.secret import secret_paths, with_secrets, without_secrets
from opmas.errors import InvalidError

SECRET = {"type": "string", "secret": True}


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ({}, ()),
        ({"properties": {"secret": {"type": "string"}}}, ()),
        ({"properties": {"a": {"type": "string", "secret": False}}}, ()),
        ({"properties": {"a": {"default": {"secret": True}, "enum": [SECRET]}}}, ()),
        ({"properties": {"token": SECRET, "url": {"type": "string"}}}, ("token",)),
        ({"properties": {"smtp": {"properties": {"password": SECRET}}}}, ("smtp.password",)),
        ({"properties": {"hosts": {"items": {"properties": {"key": SECRET}}}}}, ("hosts[].key",)),
        ({"properties": {"keys": {"prefixItems": [{}, SECRET]}}}, ("keys[]",)),
        ({"additionalProperties": SECRET}, ("*",)),
        ({"patternProperties": {"^x": SECRET}}, ("*",)),
        ({"anyOf": [{"properties": {"a": SECRET}}, {"properties": {"b": SECRET}}]}, ("a", "b")),
        ({"if": {}, "then": {"properties": {"a": SECRET}}}, ("a",)),
        ({"properties": {"a b": SECRET}}, ('"a b"',)),
        ({"properties": {"a": {"$ref": "#/$defs/x~1y"}}, "$defs": {"x/y": SECRET}}, ("a",)),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, ()),
        (
            {"properties": {"a": {"$ref": "#x"}}, "$defs": {"x": {"$anchor": "x", **SECRET}}},
            ("a",),
        ),
    ],
)
def test_secrets_are_found_wherever_a_schema_can_say_it(
    schema: dict[str, Any], paths: tuple[str, ...]
) -> None:
    assert secret_paths(schema) == paths


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"properties": {"key": SECRET, "below": {"$ref": "#/$defs/node"}}}},
    }

    found = secret_paths(schema)

    assert {"key", "below.key", "below.below.key"} <= set(found)
    assert len(found) < 100


def test_of_a_schema_without_an_end_nothing_is_shown() -> None:
    many = {f"k{number}": {"$ref": "#"} for number in range(20)}

    assert without_secrets({"k1": {"k2": 1}, "a": 2}, {"properties": many}) == {
        "k1": "(secret)",
        "a": "(secret)",
    }


def test_a_secret_is_not_shown_and_all_else_is() -> None:
    schema = {
        "properties": {
            "url": {"type": "string"},
            "token": SECRET,
            "hosts": {"type": "array", "items": {"properties": {"key": SECRET}}},
            "by_name": {"additionalProperties": SECRET},
        }
    }
    config = {
        "url": "https://example.org",
        "token": "t0p",
        "hosts": [{"name": "a", "key": "k1"}, {"name": "b"}, 3],
        "by_name": {"x": "1", "y": {"deep": "2"}},
        "unknown": [1],
    }

    assert without_secrets(config, schema) == {
        "url": "https://example.org",
        "token": "(secret)",
        "hosts": [{"name": "a", "key": "(secret)"}, {"name": "b"}, 3],
        "by_name": {"x": "(secret)", "y": "(secret)"},
        "unknown": [1],
    }
    assert config["token"] == "t0p"


def test_a_configuration_without_secrets_is_shown_whole() -> None:
    assert without_secrets({"a": [1, {"b": None}]}, {}) == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    ("schema", "known"),
    [
        ({"properties": {"a": SECRET}}, {"a": "x", "b": 1}),
        ({"properties": {"a": {"items": SECRET}}}, {"a": ["x", "y"]}),
        ({"additionalProperties": {"properties": {"c": SECRET}}}, {"a": {"c": "x", "d": "y"}}),
        ({"$ref": "https://example.org/unknown"}, {"a": {"c": "x"}, "b": 2}),
    ],
)
def test_what_was_shown_can_be_given_back(schema: dict[str, object], known: dict[str, object]):
    shown = without_secrets(known, schema)

    assert "x" not in str(shown)
    assert with_secrets(shown, known, schema) == known


def test_a_new_secret_replaces_the_known_one():
    schema = {"properties": {"a": SECRET, "b": SECRET}}

    found = with_secrets({"a": "new", "b": "(secret)"}, {"a": "old", "b": "kept"}, schema)

    assert found == {"a": "new", "b": "kept"}


def test_the_word_for_a_secret_is_none_where_none_is_known():
    schema = {"properties": {"a": {"items": SECRET}}}

    with pytest.raises(InvalidError) as caught:
        with_secrets({"a": ["(secret)", "(secret)"]}, {"a": ["x"]}, schema)

    assert caught.value.problems == ('config.a[1]: must be the value itself, not "(secret)"',)


def test_the_word_for_a_secret_is_a_word_where_nothing_is_secret():
    assert with_secrets({"a": "(secret)"}, {"a": "x"}, {}) == {"a": "(secret)"}
