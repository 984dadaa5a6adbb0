"""The patterns of versions and requirements against `packaging`, which decides at build."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from opmas.core.package.requirement import REQUIREMENT, SPECIFIER, VERSION

# Whole markers: the pattern takes any row of their words.
MARKERS = [
    "",
    "; python_version < '3.12'",
    ';extra=="x" and (os_name!="nt" or sys_platform in "linux,linux2")',
    " ; 'arm' not in platform_machine",
]


@settings(max_examples=100, deadline=None)
@given(text=st.from_regex(VERSION, fullmatch=True, alphabet=st.characters(max_codepoint=127)))
def test_what_reads_as_a_version_is_one(text: str) -> None:
    try:
        Version(text)
    except InvalidVersion:
        pytest.fail(f"no version: {text!r}")


@settings(max_examples=100, deadline=None)
@given(text=st.from_regex(SPECIFIER, fullmatch=True, alphabet=st.characters(max_codepoint=127)))
def test_what_reads_as_a_specifier_is_one(text: str) -> None:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        pytest.fail(f"no specifier: {text!r}")


@settings(max_examples=100, deadline=None)
@given(
    name=st.from_regex(r"[A-Za-z](?:[A-Za-z0-9._-]{0,5}[A-Za-z0-9])?", fullmatch=True),
    extras=st.sampled_from(["", "[a]", " [a,b-c]"]),
    specifier=st.from_regex(SPECIFIER, fullmatch=True, alphabet=st.characters(max_codepoint=127)),
    form=st.sampled_from(["{}", " {}", "({})", " ( {} ) "]),
    marker=st.sampled_from(MARKERS),
)
def test_what_is_a_requirement_reads_as_one(
    name: str, extras: str, specifier: str, form: str, marker: str
) -> None:
    text = (name + extras + form.format(specifier) + marker).strip()
    try:
        Requirement(text)
    except InvalidRequirement:
        pytest.fail(f"no requirement: {text!r}")

    assert REQUIREMENT.fullmatch(text)
