"""The command `opmas agent history`."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import AGENT, Command, option

HISTORY: Final = Command(
    ("agent", "history"),
    "show what an agent's phase and health were",
    "Each state with how long it lasted, the sum for each, and the share of the time in which the "
    "agent ran and was healthy. Kept for 30 days and 500 states of each agent: history.max_age "
    "and history.max_count in opmas.yaml.",
    (
        ("opmas agent history web", "the last 24 hours"),
        ("opmas agent history web --since 1h", "the last hour"),
        ("opmas agent history web --since yesterday --until today", "yesterday"),
    ),
    "history:show_history",
    (
        AGENT,
        option(
            "--since", text="from then on (default: 24h): 10m, 2h, today, a time", metavar="TIME"
        ),
        option("--until", text="up to then (default: now)", metavar="TIME"),
        option(
            "--lines", "-n", text="the newest N states (default: 100)", metavar="N", number=int
        ),
    ),
    "opmas.agent-history/v1",
)
