"""Sizes in bytes and shares in percent, as people write them: 64M, 20%.

K, M, G and T count in steps of 1024, as in systemd.resource-control(5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from opmas.core.documents.fields import FieldError, shown

if TYPE_CHECKING:
    from opmas.core.documents.fields import Reader

UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_SIZE: Final = re.compile(r"([0-9]{1,15})([KMGT]?)(?:(?<=[KMGT])i?B)?", re.IGNORECASE)


def size(minimum: int, maximum: int) -> Reader[int]:
    """Return a reader of sizes in that range: a number of bytes, or text like 64M."""

    def read(value: object) -> int:
        found = _whole(value)
        if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
            found = int(match[1]) * UNITS[match[2].upper()]
        if found is not None and minimum <= found <= maximum:
            return found
        limits = f"from {format_size(minimum)} to {format_size(maximum)}"
        raise FieldError(("", f"must be a size like 64M, {limits}, not {shown(value)}"))

    return read


def percent(minimum: int, maximum: int) -> Reader[int]:
    """Return a reader of shares in that range: a number, or text like 20%."""

    def read(value: object) -> int:
        found = _whole(value.removesuffix("%") if isinstance(value, str) else value)
        if found is not None and minimum <= found <= maximum:
            return found
        limits = f"from {minimum}% to {maximum}%"
        raise FieldError(("", f"must be a share like 20%, {limits}, not {shown(value)}"))

    return read


def count(minimum: int, maximum: int) -> Reader[int]:
    """Return a reader of whole numbers in that range, also as text (from a command line)."""

    def read(value: object) -> int:
        found = _whole(value)
        if found is not None and minimum <= found <= maximum:
            return found
        limits = f"from {minimum} to {maximum}"
        raise FieldError(("", f"must be a whole number {limits}, not {shown(value)}"))

    return read


def format_size(size: int) -> str:
    """Return the size with the largest unit that keeps it whole."""
    for unit, step in reversed(UNITS.items()):
        if size >= step and size % step == 0:
            return f"{size // step}{unit}"
    return str(size)


def _whole(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
