"""Versions as PEP 440 orders and spells them; the only owner of `packaging.version`.

A version directory is named after the normal spelling, so 1.0-RC1 and 1.0rc1 are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from opmas.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable


def order(version: str) -> Any:
    """Return a key that sorts versions; what is no version comes before all that are."""
    try:
        return (1, Version(version), "")
    except InvalidVersion:
        return (0, Version("0"), version)


def normal(version: str) -> str:
    """Return the normal spelling, which names directories and bundles, or `InvalidError`."""
    return str(_version(version))


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of the release: (1, 4, 0) of 1.4.0rc1."""
    return _version(version).release


def newest(versions: Iterable[str]) -> str:
    """Return the newest: a final one before any pre-release; nothing when there is none."""
    return max(versions, key=_worth, default="")


def is_same(one: str, other: str) -> bool:
    """Return whether the two spell one version."""
    return one == other or order(one)[:2] == order(other)[:2] != order("")[:2]


def satisfies(version: str, specifier: str) -> bool:
    """Return whether the version is one of the specifier's, like >=1.2; an empty one takes all.

    Pre-releases count: whoever has one installed means to use it.
    """
    # here and not above: it brings 0.7 MB, and who only sorts versions does without
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    try:
        return SpecifierSet(specifier).contains(_version(version), prereleases=True)
    except InvalidSpecifier as error:
        raise InvalidError(f'cannot read "{specifier[:60]}": no version specifier') from error


def _worth(version: str) -> Any:
    rank, parsed, text = order(version)
    return (rank, not parsed.is_prerelease, parsed, text)


def _version(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion as error:
        raise InvalidError(f'cannot read "{version[:60]}": no version as in PEP 440') from error
