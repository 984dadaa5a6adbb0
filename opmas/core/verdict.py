"""Whether a change is kept or undone, from what was gathered while it was watched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from opmas.core.cause import Cause as Cause  # noqa: PLC0414, TC001 -- part of a verdict

if TYPE_CHECKING:
    from opmas.core.evidence import Sighting, Surroundings, Watch


class Decision(StrEnum):
    """What to do about a change that is watched."""

    WATCH = "watch"
    KEEP = "keep"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, what it rests on, and in words."""

    decision: Decision
    cause: Cause | None = None
    sentence: str = ""
    facts: tuple[str, ...] = ()


def judge(
    watch: Watch, now: Sighting, around: Surroundings, *, elapsed: float, window: float
) -> Verdict:
    """Return what to do `elapsed` seconds after the change, of `window` that it is watched."""
    return Verdict(Decision.KEEP if elapsed >= window else Decision.WATCH)
