"""Whatever anybody wrote: it is read, or refused with reasons; nothing else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opmas.core.agent.terms import Limits
from opmas.core.documents.settings import Settings, parse_settings
from opmas.core.package.manifest import parse_manifest
from opmas.core.resources.limits import parse_limits
from opmas.core.unit.file import render_dropin, render_probe_dropin
from opmas.core.unit.syntax import parse_unit
from opmas.errors import ConfigError, InvalidError
from opmas.packages.yamlfile import parse_yaml
from tests.unit.core.manifests import PLACE, exec_document, python_document, spec

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = [
    "api",
    "name",
    "version",
    "summary",
    "runtime",
    "entry",
    "command",
    "service",
    "config",
    "sandbox",
    "limits",
    "timeouts",
    "after",
    "health_check",
    "events",
    "license",
    "manager",
    "socket",
    "start",
    "memory_max",
    "cpu_quota",
]
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()
)
keys = st.sampled_from(KEYS) | st.text(max_size=4) | st.integers() | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
documents = st.one_of(
    values,
    st.dictionaries(keys, values, max_size=4).map(lambda more: {**python_document(), **more}),
    st.dictionaries(keys, values, max_size=4).map(lambda more: {**exec_document(), **more}),
)


def attempt(read: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What is read, or the refusal; any other exception ends the test."""
    try:
        return read(*arguments, **named)
    except (InvalidError, ConfigError) as error:
        return error


@settings(max_examples=400, deadline=None)
@given(document=documents)
def test_a_manifest_is_read_and_can_be_rendered_or_is_refused_with_reasons(document: Any) -> None:
    found = attempt(parse_manifest, document, where="agent.yaml")

    if isinstance(found, InvalidError):
        assert found.problems
        assert all(problem.isprintable() for problem in found.problems)
        return
    assert parse_unit(render_dropin(spec(), found, PLACE))
    if found.health_check:
        assert parse_unit(render_probe_dropin(spec(), found, PLACE))


@settings(max_examples=200, deadline=None)
@given(document=values, environ=st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_settings_are_read_or_refused_with_reasons(document: Any, environ: dict[str, str]) -> None:
    variables = {f"OPMAS_MANAGER_{key}": value for key, value in environ.items()}

    found = attempt(parse_settings, document, variables)

    assert isinstance(found, Settings) or found.problems


@settings(max_examples=200, deadline=None)
@given(document=values)
def test_limits_are_read_or_refused_with_reasons(document: Any) -> None:
    found = attempt(parse_limits, document)

    assert isinstance(found, Limits) or found.problems


yaml_text = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            "a: ",
            "&x ",
            "*x",
            "[",
            "]",
            "{",
            "}",
            "\n",
            "  ",
            "- ",
            "<<: ",
            "? ",
            "!!set ",
            "|",
            "'",
        ]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=500, deadline=None)
@given(text=yaml_text)
def test_any_text_is_yaml_or_is_refused_with_its_place(text: str) -> None:
    found = attempt(parse_yaml, text, where="agent.yaml")

    assert not isinstance(found, InvalidError) or "cannot read agent.yaml: " in found.message
