"""The check of configurations in a process of its own, hostile schemas included."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opmas.core.package.manifest import Manifest, Runtime, parse_manifest
from opmas.packages.checker import ConfigChecker
from opmas.packages.yamlfile import read_yaml

HOSTWATCH = Path(__file__).parents[3] / "opmas" / "agents" / "hostwatch" / "agent.yaml"
PLAIN = Manifest("x", "1", "x", Runtime.PYTHON)


def test_the_defaults_of_hostwatch_satisfy_its_schema() -> None:
    manifest = parse_manifest(read_yaml(HOSTWATCH), where=str(HOSTWATCH))

    assert ConfigChecker().manifest_problems(manifest) == ()


def test_defaults_that_the_schema_refuses_are_named_as_defaults() -> None:
    manifest = replace(PLAIN, schema={"required": ["a"]}, defaults={"b": 1})

    assert ConfigChecker().manifest_problems(manifest) == ("config.defaults.a: is missing",)


def test_a_configuration_that_the_schema_refuses_is_named() -> None:
    manifest = replace(PLAIN, schema={"properties": {"a": {"type": "integer"}}})

    found = ConfigChecker().config_problems(manifest, {"a": "x"})

    assert found == ('config.a: must be of type integer, not "x"',)


def test_the_same_question_is_answered_from_memory() -> None:
    manifest = replace(PLAIN, schema={"required": ["a"]})
    checker = ConfigChecker()
    first = checker.config_problems(manifest, {})

    started = time.perf_counter()
    second = checker.config_problems(manifest, {})
    taken = time.perf_counter() - started

    assert second == first
    assert taken < 0.01  # a process takes 0.1 s


@pytest.mark.parametrize(
    ("schema", "config"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 64 + "!"}),
        (
            {
                "$defs": {
                    "0": {"not": {"const": 0}},
                    **{
                        f"{level}": {"allOf": [{"$ref": f"#/$defs/{level - 1}"}] * 9}
                        for level in range(1, 12)
                    },
                },
                "$ref": "#/$defs/11",
            },
            {},
        ),
    ],
)
def test_a_schema_that_would_take_for_ever_is_a_problem_in_time(
    schema: dict[str, Any], config: Any
) -> None:
    manifest = replace(PLAIN, schema=schema)

    found = ConfigChecker(timeout=1.0).config_problems(manifest, config)

    assert found
    assert found[0].startswith("config")
