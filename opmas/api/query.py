"""Readers of query parameters, which arrive as text."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import NAME
from opmas.core.documents.fields import FieldError, matching, shown
from opmas.errors import InvalidError

if TYPE_CHECKING:
    from opmas.core.documents.fields import Reader

LONGEST_WAIT: Final = 60  # seconds; the manager's own limit
VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_-]{0,63}")  # which ones, PEP 440 says

agent = matching(NAME, "must be an agent name")
package = matching(NAME, "must be a package name")
version = matching(VERSION, "must be a version like 1.4.0")
event_type = matching(
    re.compile(r"[a-z0-9][a-z0-9.-]{0,199}"), 'must be an event type like "opmas.agent.phase"'
)


def whole(minimum: int, maximum: int) -> Reader[int]:
    """Return a reader of whole numbers in that range."""

    def read(value: object) -> int:
        written = str(value)
        if re.fullmatch(r"[0-9]{1,19}", written) and minimum <= int(written) <= maximum:
            return int(written)
        raise FieldError(
            ("", f"must be a whole number from {minimum} to {maximum}, not {shown(value)}")
        )

    return read


def seconds(value: object) -> float:
    """Read how long to wait."""
    written = str(value)
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", written) and float(written) <= LONGEST_WAIT:
        return float(written)
    raise FieldError(("", f"must be seconds from 0 to {LONGEST_WAIT}, not {shown(value)}"))


def flag(value: object) -> bool:
    """Read true or false."""
    known = {"true": True, "false": False}
    if str(value) in known:
        return known[str(value)]
    raise FieldError(("", f"must be true or false, not {shown(value)}"))


def check_version(written: str) -> None:
    """Refuse what is no version in a path."""
    try:
        version(written)
    except FieldError as error:
        raise InvalidError(f"cannot use this version: {error}") from error


def instant(value: object) -> str:
    """Read a time with its zone, as RFC 3339 has it."""
    written = str(value)
    try:
        if len(written) <= 40 and datetime.fromisoformat(written).tzinfo:  # noqa: PLR2004 - room
            return written
    except ValueError:
        pass
    raise FieldError(
        ("", f"must be a time with a zone like 2026-01-31T12:00:00Z, not {shown(value)}")
    )
