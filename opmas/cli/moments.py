"""Points in time as people write and read them. Pure: `now` comes in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from opmas.cli.exits import UsageError

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DURATION: Final = re.compile(r"(?:\d+[smhdw])+")


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """Return the instant meant by `10m`, `1h30m`, `today`, `yesterday` or an RFC 3339 time."""
    if DURATION.fullmatch(text):
        parts = re.findall(r"(\d+)([smhdw])", text)
        try:
            return now - timedelta(seconds=sum(int(n) * SECONDS[unit] for n, unit in parts))
        except OverflowError:
            raise _unreadable(text, option) from None
    if text in {"today", "yesterday"}:
        midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - timedelta(days=text == "yesterday")).astimezone(UTC)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)  # local time when it has no zone
    except (ValueError, OverflowError):
        raise _unreadable(text, option) from None


def _unreadable(text: str, option: str) -> UsageError:
    return UsageError(
        f'cannot read "{option} {text}": write a duration such as 10m, 2h or 1h30m, today,'
        " yesterday, or a time such as 2026-01-31T18:00:00Z"
    )


def wire(moment: datetime) -> str:
    """Return the instant as RFC 3339 in UTC with microseconds, as the manager writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_wire(text: object) -> datetime | None:
    """Return the instant that the manager wrote, or None when it is not one."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def local(text: object) -> str:
    """Return the manager's instant in local time to the second; unreadable text as it is."""
    moment = parse_wire(text)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else str(text)


def age(text: object, now: datetime) -> str:
    """Return how long ago the manager's instant was: `42s`, `3m 5s`, `2h 10m`, `5d 3h`."""
    moment = parse_wire(text)
    if moment is None:
        return "-"
    return span((now - moment).total_seconds())


def span(seconds: float) -> str:
    """Return a length of time as `age` does."""
    left = max(int(seconds), 0)
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
