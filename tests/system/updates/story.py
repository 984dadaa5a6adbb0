"""What an update came to, read from the event log: all instants are those of its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOWN = frozenset({"backoff", "failed", "quarantined"})


@dataclass(frozen=True, slots=True)
class Story:
    """The instants of one update, in seconds since 1970; None for what did not happen.

    `sign` is the first that shows that the new version is bad: an exit, a health worse than
    healthy, an event of severity error, its own word that it goes bad now, or a migration that
    failed. A version that hangs in its start shows nothing: its start is the sign then.
    `restored` is when the version before was ready again: it says so after it has read its data.
    """

    stopped: float | None
    began: float | None
    ready: float | None
    sign: float | None
    decided: float | None
    restored: float | None

    @property
    def downtime(self) -> float:
        """Seconds from the stop of the old run until the new one was ready."""
        assert self.stopped is not None
        assert self.ready is not None
        return self.ready - self.stopped

    @property
    def outage(self) -> float:
        """Seconds from the first sign until the version before served again."""
        assert self.sign is not None
        assert self.restored is not None
        return self.restored - self.sign


def story(change: dict[str, Any], events: Iterable[dict[str, Any]]) -> Story:
    """Return the story of the change of one agent."""
    own = [e for e in events if e["subject"] == change["subject"]]
    starts = [i for i, e in enumerate(own) if _is_state(e, change, "applying")]
    if not starts:
        return Story(None, None, None, None, None, None)
    own = own[starts[0] :]
    decided = next((i for i, e in enumerate(own) if _is_state(e, change, "reverting")), len(own))
    watched, after = own[:decided], own[decided:]
    began = _first(watched, lambda e: _is_phase(e, "starting"))
    signs = [e for e in watched if _is_sign(e)]
    sign = _at(signs[0]) if signs else began
    return Story(
        stopped=_first(watched, lambda e: _is_phase(e, "stopping")),
        began=began,
        ready=_first(watched, lambda e: _is_phase(e, "running")),
        sign=sign,
        decided=_at(after[0]) if after else None,
        restored=_first(after, lambda e: _is_phase(e, "running")),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that so many of them, or more, are not above."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * int(share * 100) // 100) - 1, 0)]


def _is_sign(event: dict[str, Any]) -> bool:
    kind, data = str(event["type"]), event["data"]
    if kind == "opmas.agent.health":
        return str(data["to"]) in {"degraded", "unhealthy"}
    if kind == "opmas.agent.phase":
        return str(data["to"]) in DOWN
    if kind == "opmas.change.step":
        return bool(data["task"] == "migrate" and data["state"] == "failed")
    if kind.startswith("agent."):
        return kind.endswith(".bad") or str(data["severity"]) == "error"
    return kind == "opmas.agent.exited"


def _is_state(event: dict[str, Any], change: dict[str, Any], state: str) -> bool:
    data = event["data"]
    found = (event["type"], data.get("id"), data.get("to"))
    return found == ("opmas.change.state", change["id"], state)


def _is_phase(event: dict[str, Any], phase: str) -> bool:
    return bool(event["type"] == "opmas.agent.phase" and event["data"]["to"] == phase)


def _first(events: Iterable[dict[str, Any]], wanted: Any) -> float | None:
    return next((_at(event) for event in events if wanted(event)), None)


def _at(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()
