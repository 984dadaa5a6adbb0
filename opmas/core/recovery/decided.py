"""What was decided about an agent that failed, with what it rested on: kept with the agent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

REMEMBERED: Final = 10  # the last decisions of an agent


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision. `at` is in seconds since 1970; `delay` in seconds until the next try."""

    at: float
    rung: str
    reason: str
    delay: float | None = None
    facts: tuple[str, ...] = ()  # sentences
    inputs: dict[str, Any] = field(default_factory=dict)


class Cure(StrEnum):
    """What is done for an agent that concerns more than this one."""

    UNDO = "undo"
    RESTART = "restart-dependency"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is still to be done for an agent: its change undone, another agent restarted."""

    cure: Cure
    target: str  # the number of the change, the name of the agent


def dump_decided(decided: Decided) -> dict[str, Any]:
    """Return the decision as a JSON object."""
    return asdict(decided)


def load_decided(saved: dict[str, Any]) -> Decided:
    """Return the decision that was saved."""
    return Decided(**{**saved, "facts": tuple(saved["facts"])})


def remembered(known: tuple[Decided, ...], decided: Decided) -> tuple[Decided, ...]:
    """Return the last decisions with one more."""
    return (*known, decided)[-REMEMBERED:]
