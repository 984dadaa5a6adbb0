"""Versions as Debian's; tests/property holds their order against dpkg's."""

from __future__ import annotations

import pytest

from opmas.bundles.debversion import debian_version


@pytest.mark.parametrize(
    ("version", "debian"),
    [
        ("1.4.0", "1.4.0"),
        ("2!1.0", "2:1.0"),
        ("1.0rc1", "1.0~rc1"),
        ("1.0.post1", "1.0+post1"),
        ("1.0.dev3", "1.0~~dev3"),
        ("1.0a1.dev3", "1.0~a1~dev3"),
        ("1.0.post1.dev2", "1.0+post1~dev2"),
        ("1.0+deb.7", "1.0+1deb.7"),
    ],
)
def test_each_part_has_its_place(version: str, debian: str) -> None:
    assert debian_version(version) == debian
