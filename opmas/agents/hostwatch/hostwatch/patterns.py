"""Names against shell patterns, where `*` matches `/` too."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(name: str, patterns: list[str]) -> bool:
    """Tell whether the name matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
