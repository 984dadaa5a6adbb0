"""Versions and what is required of them, as agent.yaml writes them: PEP 440 and PEP 508.

The patterns are those of the two documents without their rarest corners (`===`, addresses); the
whole grammar is at hand where bundles are built. They know no ignored case, so that a JSON Schema
can hold them.
"""

from __future__ import annotations

import re
from typing import Final

from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError

LENGTH: Final = 500


def any_case(pattern: str) -> str:
    """Return the pattern for both cases of its letters; it has no classes and no escapes."""
    return re.sub(r"[a-z]", lambda letter: f"[{letter[0].upper()}{letter[0]}]", pattern)


_RELEASE: Final = r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*"
_SEVERAL: Final = r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)+"
_SUFFIX: Final = (
    rf"(?:[-_.]?(?:{any_case('alpha|beta|preview|pre|rc|a|b|c')})[-_.]?[0-9]*)?"
    rf"(?:-[0-9]+|[-_.]?(?:{any_case('post|rev|r')})[-_.]?[0-9]*)?"
    rf"(?:[-_.]?{any_case('dev')}[-_.]?[0-9]*)?"
)
_LOCAL: Final = r"(?:\+[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*)?"
_PUBLIC: Final = f"[Vv]?{_RELEASE}{_SUFFIX}"
_CLAUSE: Final = (
    r"(?:"
    rf"[=!]= *[Vv]?{_RELEASE}\.\*"
    rf"|[=!]= *{_PUBLIC}{_LOCAL}"
    rf"|~= *[Vv]?{_SEVERAL}{_SUFFIX}"
    rf"|(?:<=|>=|<|>) *{_PUBLIC}"
    r")"
)
_CLAUSES: Final = rf"{_CLAUSE}(?: *, *{_CLAUSE})*"
_WORD: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_MARKER: Final = (
    r"(?:python_version|python_full_version|os_name|sys_platform|platform_release"
    r"|platform_system|platform_version|platform_machine|platform_python_implementation"
    r"|implementation_name|implementation_version|extra"
    r"""|'[^'"]*'|"[^'"]*"|[=!~]=|<=?|>=?|not +in|in|and|or|\(|\))"""
)

VERSION: Final = re.compile(f"{_PUBLIC}{_LOCAL}")
SPECIFIER: Final = re.compile(_CLAUSES)
REQUIREMENT: Final = re.compile(
    rf"{_WORD}(?: *\[ *{_WORD}(?: *, *{_WORD})* *\])?"
    rf"(?: *{_CLAUSES}| *\( *{_CLAUSES} *\))?"
    rf"(?: *; *{_MARKER}(?: *{_MARKER})*)?"
)

version: Final = fields.matching(VERSION, "must be a version as in PEP 440, like 1.2.0")
_specifier: Final = fields.matching(
    SPECIFIER, "must be versions as in PEP 440, like >=3.11 or >=1.2,<2"
)
_requirement: Final = fields.matching(
    REQUIREMENT, "must be a requirement as in PEP 508, like requests>=2.28"
)


def specifier(value: object) -> str:
    """Read a version specifier, such as `>=3.11,<4`."""
    return _specifier(_short(value))


def requirement(value: object) -> str:
    """Read what a package of Python needs of another; an address is none, as hosts are offline."""
    if isinstance(value, str) and re.match(r"[^;]*@", value):
        raise FieldError(("", "must not name an address: it is fetched when a bundle is built"))
    return _requirement(_short(value))


def _short(value: object) -> object:
    if isinstance(value, str) and len(value) > LENGTH:
        raise FieldError(("", f"must be at most {LENGTH} characters, not {len(value)}"))
    return value
