"""Which of a package's versions is meant."""

from __future__ import annotations

import pytest

from opmas.core.agent.terms import AgentSpec
from opmas.core.package.manifest import parse_manifest
from opmas.packages.catalogue import Package
from opmas.packages.collection import Packages
from opmas.packages.receipt import Receipt, Trust


def package(version: str, *, own: bool = False) -> Package:
    document = {
        "api": "opmas.agent/v1",
        "name": "nap",
        "version": version,
        "summary": "Naps",
        "runtime": "exec",
        "command": ["/bin/true"],
    }
    receipt = Receipt("nap", version, "0" * 64, Trust.KEY, "", "", "2026-01-01T00:00:00Z", 1)
    manifest = parse_manifest(document, where="test")
    folder = "/own" if own else f"/installed/{version}"
    return Package(manifest, folder, "d", receipt=None if own else receipt)


def spec(version: str, name: str = "nap") -> AgentSpec:
    return AgentSpec(name="web", package=name, version=version)


@pytest.mark.parametrize("version", ["1.0", "1.0.0"])
@pytest.mark.parametrize("order", [1, -1])
def test_two_spellings_of_one_version_are_told_apart(version: str, order: int) -> None:
    packages = Packages([package("1.0"), package("1.0.0")][::order])

    found = packages.find("nap", version)

    assert found is not None
    assert found.directory == f"/installed/{version}"


def test_the_normal_spelling_is_found_by_any_other() -> None:
    packages = Packages([package("1.0"), package("1.0rc1")])

    found = packages.find("nap", "1.0-RC1")

    assert found is not None
    assert found.version == "1.0rc1"


@pytest.mark.parametrize(
    ("version", "place"), [("", "/own"), ("1.0", "/installed/1.0"), ("1.0.0", "/installed/1.0")]
)
def test_who_names_a_version_means_an_installed_one(version: str, place: str) -> None:
    packages = Packages([package("1.0", own=True), package("1.0")])

    found = packages.find("nap", version)

    assert found is not None
    assert found.directory == place


@pytest.mark.parametrize("version", ["1.0", "1.0.0"])
def test_the_hosts_own_version_is_found_by_its_name_when_there_is_no_other(version: str) -> None:
    assert Packages([package("1.0", own=True)]).find("nap", version) is not None
    assert Packages([package("1.0", own=True)]).find("nap", "1.1") is None


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        (spec("2.0"), spec("1.0"), True),
        (spec("1.0"), spec("2.0"), False),
        (spec("1.0"), spec("1.0"), False),
        (spec("2.0"), spec(""), True),
        (spec(""), spec("2.0"), False),
        (spec("2.0"), spec("1.0", "other"), False),
        (spec("9.0"), spec("2.0"), True),
    ],
)
def test_an_older_version_of_the_same_package_is_a_way_back(
    before: AgentSpec, after: AgentSpec, *, back: bool
) -> None:
    packages = Packages([package("1.1", own=True), package("1.0"), package("2.0")])

    assert packages.is_back(before, after) is back
