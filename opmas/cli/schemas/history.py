"""The document about the history of an agent."""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.agents import HEALTH_WORDS, PHASE
from opmas.cli.schemas.terms import (
    amount,
    flag,
    list_of,
    moment,
    one_of,
    or_null,
    record,
    text,
)

_HEALTH: Final = one_of("how well it did", *HEALTH_WORDS)
AGENT_HISTORY: Final = record(
    "What an agent's phase and health were.",
    {
        "name": text("the agent"),
        "since": moment("the begin of the time that is told of"),
        "until": moment("its end"),
        "availability": or_null(
            amount("the share of the known time in which it ran and was healthy, 0 to 1")
        ),
        "known_seconds": amount("of how much of that time something is known"),
        "durations": list_of(
            "the longest first",
            record(
                "one",
                {
                    "phase": PHASE,
                    "health": _HEALTH,
                    "seconds": amount("for how long, in all"),
                },
            ),
        ),
        "states": list_of(
            "the oldest first",
            record(
                "one",
                {
                    "at": moment("since when; it may be before the time that is told of"),
                    "seconds": amount("for how long, in that time"),
                    "phase": PHASE,
                    "reason": text("why: docs/reference/reasons.md"),
                    "health": _HEALTH,
                    "message": text("what was said of it then"),
                },
            ),
        ),
        "more": flag("whether older states of that time are left out"),
    },
)
