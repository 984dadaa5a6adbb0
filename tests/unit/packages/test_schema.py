"""Schemas and configurations: every fault with its path, and nothing fetched from anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from opmas.packages.schema import config_problems, schema_problems

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["target", "port"],
    "properties": {
        "target": {"type": "string", "pattern": "^[a-z]+$"},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "mode": {"enum": ["fast", "safe"]},
        "levels": {"type": "array", "items": {"$ref": "#/$defs/level"}, "maxItems": 2},
    },
    "$defs": {"level": {"type": "number", "exclusiveMinimum": 0}},
}


def test_a_configuration_that_fits_has_no_problems() -> None:
    config = {"target": "db", "port": 5432, "mode": "safe", "levels": [0.5, 1]}

    assert schema_problems(SCHEMA, "config.schema") == ()
    assert config_problems(SCHEMA, config, "config") == ()


def test_every_fault_of_a_configuration_is_named_with_its_path() -> None:
    config = {"target": "DB", "mode": "fst", "levels": [0, "x"], "prot": 1}

    assert config_problems(SCHEMA, config, "config") == (
        "config.levels[0]: must be above 0, not 0",
        'config.levels[1]: must be of type number, not "x"',
        'config.mode: must be one of fast, safe, not "fst"',
        "config.port: is missing",
        'config.prot: unknown key; did you mean "port"?',
        'config.target: must match "^[a-z]+$", not "DB"',
    )


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "objct"}, "config.schema.type: 'objct' is not valid"),
        ({"properties": []}, "config.schema.properties: must be of type object, not a list"),
        ({"$ref": "file:///etc/passwd"}, "config.schema.$ref: must refer into the schema itself"),
        ({"items": {"$ref": "http://127.0.0.1/x"}}, "config.schema.items.$ref: must refer into"),
        ({"anyOf": [{"$id": "http://127.0.0.1/x"}]}, "config.schema.anyOf[0].$id: is refused"),
        ({"pattern": "("}, 'config.schema.pattern: "(" is no regular expression'),
        ({"patternProperties": {"[": {}}}, 'config.schema.patternProperties: "[" is no regular'),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "config.schema.$schema: must be"),
    ],
)
def test_a_fault_of_a_schema_is_named_with_its_path(schema: dict[str, Any], problem: str) -> None:
    found = schema_problems(schema, "config.schema")

    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("draft", ["https://json-schema.org/draft/2020-12/schema", ""])
def test_tuples_are_checked_as_the_newer_draft_says(draft: str) -> None:
    schema = {"$schema": draft, "prefixItems": [{"type": "string"}]}

    assert config_problems(schema, [1], "config") == ("config[0]: must be of type string, not 1",)


def test_tuples_are_checked_as_the_older_draft_says() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}

    assert config_problems(schema, [1], "config") == ("config[0]: must be of type string, not 1",)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/nowhere"}])
def test_a_schema_that_leads_nowhere_is_a_problem_and_no_crash(schema: dict[str, Any]) -> None:
    found = config_problems(schema, {}, "config")

    assert len(found) == 1
    assert found[0].startswith("config: cannot be checked: its schema")


def test_what_is_said_is_bounded() -> None:
    config = {f"key{number}": "x" * 10_000 for number in range(1000)}

    found = config_problems({"additionalProperties": {"type": "number"}}, config, "config")

    assert len(found) == 20
    assert max(len(problem) for problem in found) < 300


@pytest.mark.parametrize(
    ("rule", "config"),
    [
        ({"minLength": 20}, {"a": {"password": "hunter2"}}),
        ({"maxLength": 2}, {"a": {"password": "hunter2"}}),
        ({"pattern": "^x"}, {"a": {"password": "hunter2"}}),
        ({"enum": ["x"]}, {"a": {"password": "hunter2"}}),
        ({"const": "x"}, {"a": {"password": "hunter2"}}),
        ({"format": "x", "not": {"minLength": 1}}, {"a": {"password": "hunter2"}}),
        ({}, {"a": {"password": "hunter2", "more": "than allowed"}}),
    ],
)
def test_what_is_said_of_a_secret_does_not_hold_it(rule: dict[str, Any], config: dict[str, Any]):
    secret = {"type": "string", "secret": True, **rule}
    inner = {"type": "object", "properties": {"password": secret}, "maxProperties": 1}
    schema = {"properties": {"a": inner}}

    problems = config_problems(schema, config, "config")

    assert problems
    assert not any("hunter2" in problem for problem in problems)
