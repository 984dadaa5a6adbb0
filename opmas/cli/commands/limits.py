"""The command `opmas agent limits`."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import NO_WAIT, PATIENCE, PLAN_ONLY, Command, operand, option

LIMITS: Final = Command(
    ("agent", "limits"),
    "show what limits apply, and what would fit",
    "One line a limit: what applies, who set it (template, host, package, agent, learned, or "
    "ceiling where the host cut it), what is used now, the 99th percentile of what was used, and "
    "what is proposed from that. --apply gives the agent what is proposed, as a change that is "
    "watched and undone if the agent does worse. A limit that you set yourself is never proposed "
    "anew.",
    (
        ("opmas agent limits", "all agents"),
        ("opmas agent limits web", "one agent"),
        ("opmas agent limits web --apply", "give it the limits that fit"),
    ),
    "limits:show_limits",
    (
        operand(
            "name",
            text="the agent (default: all)",
            metavar="NAME",
            nargs="?",
            completes="agents",
        ),
        option("--apply", text="set what is proposed", action="store_true"),
        PLAN_ONLY,
        NO_WAIT,
        PATIENCE,
    ),
    "opmas.agent-limits/v1",
    (("--apply", "opmas.change/v1"),),
)
