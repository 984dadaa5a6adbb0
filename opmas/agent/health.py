"""How well an agent does, as it says itself: a status, a sentence, and named checks."""

from __future__ import annotations

import enum

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

# The manager takes a health report of 32 KiB: so many checks of this size fit.
MESSAGE_LENGTH = 500
CHECKS = 50
DEPTH = 4  # of checks within checks


class Status(enum.StrEnum):
    """How well; from best to worst."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_ORDER = tuple(Status)


class Check:
    """One named part of an agent's health; `code` is stable and for machines.

    With checks of its own it is as bad as the worst of them; they are told as NAME/CHECK.
    """

    __slots__ = ("checks", "code", "message", "name", "status")

    def __init__(
        self,
        name: str,
        status: Status | str = Status.HEALTHY,
        code: str = "",
        message: str = "",
        checks: Sequence[Check] = (),
    ) -> None:
        self.name = name
        self.status: Status = worst_status([Status(status), *(c.status for c in checks)])
        self.code = code
        self.message = _shortened(message)
        self.checks = tuple(checks)

    def __repr__(self) -> str:
        return f"Check({self.name!r}, {self.status.value!r}, {self.code!r}, {self.message!r})"

    def as_dict(self) -> dict[str, str]:
        """Return the check as it is sent to the manager."""
        return {
            "name": self.name,
            "status": self.status.value,
            "code": self.code,
            "message": self.message,
        }


class Health:
    """The health of an agent; with checks, the worst of them decides."""

    __slots__ = ("checks", "message", "status")

    def __init__(
        self,
        status: Status | str = Status.HEALTHY,
        message: str = "",
        checks: Sequence[Check] = (),
    ) -> None:
        self.checks = tuple(_flat(checks, "", DEPTH)[:CHECKS])
        self.status = worst_status([Status(status), *(c.status for c in checks)])
        self.message = _shortened(message or _said_by(self.checks, self.status))

    @classmethod
    def healthy(cls, message: str = "") -> Health:
        """Return the health of an agent that does its work."""
        return cls(Status.HEALTHY, message)

    @classmethod
    def degraded(cls, message: str) -> Health:
        """Return the health of an agent that does part of its work."""
        return cls(Status.DEGRADED, message)

    @classmethod
    def unknown(cls, message: str) -> Health:
        """Return the health of an agent that cannot tell whether it does its work."""
        return cls(Status.UNKNOWN, message)

    @classmethod
    def unhealthy(cls, message: str) -> Health:
        """Return the health of an agent that does not do its work."""
        return cls(Status.UNHEALTHY, message)

    def __repr__(self) -> str:
        return f"Health({self.status.value!r}, {self.message!r}, {list(self.checks)!r})"

    def as_dict(self) -> dict[str, Any]:
        """Return the health as it is sent to the manager."""
        return {
            "status": self.status.value,
            "message": self.message,
            "checks": [check.as_dict() for check in self.checks],
        }


def worst_status(statuses: Iterable[Status]) -> Status:
    """Return the worst of the statuses; healthy when there is none."""
    return max(statuses, key=_ORDER.index, default=Status.HEALTHY)


def combined(parts: Sequence[Health]) -> Health:
    """Return one health: the worst status, what was said with it, and all checks."""
    worst = worst_status(part.status for part in parts)
    said = [part.message for part in parts if part.status is worst and part.message]
    checks = [check for part in parts for check in part.checks]
    return Health(worst, "; ".join(said), checks)


def _flat(checks: Iterable[Check], above: str, depth: int) -> list[Check]:
    """Return the checks and those within them, each named by its way down."""
    found = []
    for check in checks:
        name = above + check.name
        inner = _flat(check.checks, f"{name}/", depth - 1) if depth > 1 else []
        # without those within it, which stand beside it now: what is combined is flattened again
        found += [Check(name, check.status, check.code, check.message), *inner]
    return found


def _said_by(checks: Iterable[Check], status: Status) -> str:
    if status is Status.HEALTHY:
        return ""
    return "; ".join(
        f"{c.name}: {c.message or c.code or c.status.value}" for c in checks if c.status is status
    )


def _shortened(text: str) -> str:
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 1] + "…"
