"""What hostwatch remembers over its restarts: which thresholds are raised, and what was writable.

Without it a restart would tell of every crossing again, and a file system that became read-only
while the agent was down would look as if it had always been so. A ledger that cannot be read is
an empty one: the agent starts as for the first time.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .watch import Key

FILE = "hostwatch.json"
FORMAT = 1


class Ledger(NamedTuple):
    """`raised`: since when (Unix time), by rule and instance; `writable`: mount points."""

    raised: dict[Key, float]
    writable: frozenset[str]


NOTHING = Ledger({}, frozenset())


def parse_ledger(text: str) -> Ledger:
    """Read a ledger; what makes no sense in it is left out."""
    try:
        document = json.loads(text)
    except ValueError:
        return NOTHING
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return NOTHING
    raised = {}
    for entry in _list(document.get("raised")):
        match entry:
            case {"rule": str(rule), "instance": str(instance), "since": int() | float() as since}:
                raised[rule, instance] = float(since)
            case _:
                pass
    writable = frozenset(path for path in _list(document.get("writable")) if isinstance(path, str))
    return Ledger(raised, writable)


def render_ledger(ledger: Ledger) -> str:
    """Write a ledger."""
    raised = [
        {"rule": rule, "instance": instance, "since": round(since, 3)}
        for (rule, instance), since in sorted(ledger.raised.items())
    ]
    return json.dumps(
        {"format": FORMAT, "raised": raised, "writable": sorted(ledger.writable)}, indent=1
    )


class LedgerFile:
    """The ledger in the agent's state directory; without a directory nothing is kept."""

    def __init__(self, directory: str | None) -> None:
        self._path = f"{directory}/{FILE}" if directory else None
        self._kept: str | None = None

    def read(self) -> Ledger:
        """Return what was kept."""
        if self._path is None:
            return NOTHING
        try:
            with open(self._path, encoding="utf-8") as file:  # noqa: PTH123 (pathlib costs 0.5 MB)
                return parse_ledger(file.read())
        except (OSError, UnicodeDecodeError):
            return NOTHING

    def keep(self, ledger: Ledger) -> None:
        """Write it when it is news; raises OSError, and tries again at the next call."""
        text = render_ledger(ledger)
        if self._path is None or text == self._kept:
            return
        fresh = f"{self._path}.new"
        with open(fresh, "w", encoding="utf-8") as file:  # noqa: PTH123 (as above)
            file.write(text)
        # No fsync: what a power cut can lose here is told of again.
        os.replace(fresh, self._path)  # noqa: PTH105 (as above)
        self._kept = text


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
