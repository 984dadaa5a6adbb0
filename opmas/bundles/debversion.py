"""Versions of PEP 440 as versions of Debian that sort in the same order.

    1.4.0        1.4.0          the release as it is
    2!1.0        2:1.0          an epoch is an epoch
    1.0rc1       1.0~rc1        ~ sorts before the end: pre-releases come before the release
    1.0.post1    1.0+post1      + sorts after it
    1.0.dev3     1.0~~dev3      a development version comes before its a, b and rc
    1.0a1.dev3   1.0~a1~dev3
    1.0+deb.7    1.0+1deb.7     a local version comes after its release, before its .post1: digits
                                sort before letters; among local versions the order is dpkg's

For PEP 440 1.0 and 1.0.0 are one version, for dpkg they are two: keep to one number of parts.
"""

from __future__ import annotations

from packaging.version import Version


def debian_version(version: str) -> str:
    """Return the version as Debian's. It has no revision: it is that of a native package."""
    found = Version(version)
    parts = [f"{found.epoch}:" if found.epoch else "", ".".join(map(str, found.release))]
    if found.pre:
        parts.append(f"~{found.pre[0]}{found.pre[1]}")
    if found.post is not None:
        parts.append(f"+post{found.post}")
    if found.dev is not None:
        plain = found.pre is None and found.post is None
        parts.append(f"{'~~' if plain else '~'}dev{found.dev}")
    if found.local:
        parts.append(f"+1{found.local}")
    return "".join(parts)
