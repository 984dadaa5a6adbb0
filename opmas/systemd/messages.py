"""What the bridge says, as the events of the `Units` port: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.core.unit.state import UnitState
from opmas.ports import Disconnected, JobRemoved, Resynced, UnitChanged, UnitGone

if TYPE_CHECKING:
    from opmas.ports import UnitEvent


def parse_event(message: dict[str, Any]) -> UnitEvent:
    """Return the event; KeyError, TypeError or ValueError when it is none."""
    match message["event"]:
        case "changed":
            return UnitChanged(_states(message))
        case "job":
            return JobRemoved(message["unit"], message["job_id"], message["result"])
        case "gone":
            return UnitGone(message["unit"])
        case "resynced":
            return Resynced(_states(message), message["version"], message["connection"])
        case "disconnected":
            return Disconnected(message["reason"])
        case event:
            raise ValueError(f"unknown event: {event}")


def _states(message: dict[str, Any]) -> tuple[UnitState, ...]:
    return tuple(UnitState(*row) for row in message["states"])
