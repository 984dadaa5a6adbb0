"""What an agent says of itself, as values to assert on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Event:
    """An event that the agent emitted, the `number`-th."""

    number: int
    type: str
    severity: str
    message: str
    data: Mapping[str, Any]

    def __str__(self) -> str:
        said = f" {self.message!r}" if self.message else ""
        return f"{self.type} ({self.severity}){said} {dict(self.data)}"


@dataclass(frozen=True, slots=True)
class Check:
    """One named part of an agent's health."""

    name: str
    status: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """How the agent said that it does: `checks` by their names."""

    status: str
    message: str
    checks: Mapping[str, Check]

    def __str__(self) -> str:
        checks = [f"{c.name} {c.status} {c.code}".rstrip() for c in self.checks.values()]
        listed = f"({', '.join(checks)})" if checks else ""
        return " ".join(filter(None, (self.status, self.message, listed)))


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric; a histogram's `value` is how many numbers it was given."""

    name: str
    kind: str
    labels: Mapping[str, str]
    value: float
    sum: float = 0.0
    buckets: Mapping[float, int] = field(default_factory=dict)


def read_event(number: int, params: Mapping[str, Any]) -> Event:
    """Return the event in a message."""
    return Event(
        number,
        params["type"],
        params.get("severity", "info"),
        params.get("message", ""),
        params.get("data", {}),
    )


def read_health(params: Mapping[str, Any]) -> Health:
    """Return the health in a message."""
    checks = [
        Check(*(str(check.get(key, "")) for key in ("name", "status", "code", "message")))
        for check in params.get("checks", [])
    ]
    return Health(params["status"], params.get("message", ""), {c.name: c for c in checks})


def read_sample(metric: Mapping[str, Any]) -> Sample:
    """Return the value in a part of a message."""
    return Sample(
        metric["name"],
        metric.get("kind", ""),
        metric.get("labels", {}),
        metric.get("value", metric.get("count", 0)),
        metric.get("sum", 0.0),
        dict(map(tuple, metric.get("buckets", []))),
    )
