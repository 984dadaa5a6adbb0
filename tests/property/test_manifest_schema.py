"""The published schema of agent.yaml and the parser: they accept and refuse the same documents."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from docs.agent_schema import BEYOND, agent_schema
from opmas.core.package.manifest import parse_manifest
from opmas.errors import InvalidError
from opmas.packages.yamlfile import read_yaml
from tests.unit.core.manifests import exec_document, python_document

TOP = Path(__file__).parents[2]
PACKAGES = sorted([*TOP.glob("tests/agents/*/agent.yaml"), *TOP.glob("opmas/agents/*/agent.yaml")])
SCHEMA = agent_schema()
# What stands in the place of a value when something is wrong with it. No 5.0: JSON has one kind
# of number, YAML two.
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, 5, 99_999_999, 1.5, "", "x", " ", "$", [], ["x"], {}]
)
SPOILT = st.sampled_from(["{}\n", " {}", "{} ", "{}$", "{}/", "{}..", "\x1b{}", "{}{}{}", "-{}"])


def strict(value: Any) -> Any:
    """The schema as editors read it: in Python alone `$` is also before a newline at the end."""
    if isinstance(value, dict):
        return {
            key: re.sub(r"\$$", r"\\Z", item) if key == "pattern" else strict(item)
            for key, item in value.items()
        }
    return [strict(item) for item in value] if isinstance(value, list) else value


VALIDATOR = Draft7Validator(strict(SCHEMA))


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the schema's shape, some of them with a fault."""
    right = shaped(schema)
    return st.one_of(right, right, right, JUNK)


def shaped(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema and "type" not in schema:
        return st.one_of([shaped(each) for each in schema["anyOf"]])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([of_type(kind, schema) for kind in kinds])


def of_type(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if kind == "object":
        return mappings(schema)
    if kind == "array":
        return lists(schema)
    if kind == "string":
        known = st.sampled_from(schema["examples"])
        return st.one_of(known, known, st.builds(spoilt, SPOILT, known))
    if kind == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return st.sampled_from([least, least + 1, most, least - 1, most + 1])
    return st.none() if kind == "null" else st.booleans()


def spoilt(how: str, text: str) -> str:
    return how.replace("{}", text)


def mappings(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    members = {name: values(each) for name, each in schema.get("properties", {}).items()}
    return st.fixed_dictionaries({}, optional={**members, "unknwon": st.just("x")}).map(dict)


def lists(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    items = schema["items"]
    if isinstance(items, list):
        rest = st.lists(values(schema["additionalItems"]), max_size=2)
        return st.builds(lambda first, others: [first, *others], values(items[0]), rest)
    return st.lists(values(items), max_size=3)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A package that is right, with some of its keys drawn anew, and some taken away."""
    document: dict[str, Any] = copy.deepcopy(
        draw(st.sampled_from([python_document(), exec_document()]))
    )
    names = st.sampled_from([*SCHEMA["properties"]])
    for name in draw(st.lists(names, max_size=4, unique=True)):
        document[name] = draw(values(SCHEMA["properties"][name]))
    for name in draw(st.lists(names, max_size=1)):
        document.pop(name, None)
    return document


def refusals(document: object) -> list[str]:
    try:
        parse_manifest(document, where="agent.yaml")
    except InvalidError as error:
        return list(error.problems)
    return []


def is_beyond(problem: str) -> bool:
    """Whether it is one of the rules that no schema can say; some of them it says in part."""
    path, _, reason = problem.partition(": ")
    return any(re.fullmatch(where, path) and re.search(what, reason) for where, what in BEYOND)


def complaints(document: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


@settings(max_examples=800, deadline=None)
@given(document=documents())
@example(document=python_document(name="web\n"))
@example(document=python_document(hooks={"check": "a:b", "migrate": ["./x"]}))
@example(document=exec_document(hooks={"check": "a:b"}))
@example(document=exec_document(health_check=None))
@example(document=exec_document(health_check={"tcp": "a:1"}, sandbox={"network": "full"}))
@example(document=exec_document(timeouts={"watchdog": 5}))
@example(document=exec_document(timeouts={"watchdog": 5}, service="notify"))
@example(document=python_document(timeouts={"watchdog": 0}))
def test_the_schema_and_the_parser_agree(document: dict[str, Any]) -> None:
    refused, complained = refusals(document), complaints(document)

    sayable = [problem for problem in refused if not is_beyond(problem)]
    assert complained or not sayable
    assert refused or not complained


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.parent.name))
def test_the_schema_accepts_every_package_that_is_there(path: Path) -> None:
    assert complaints(read_yaml(path)) == []


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)
