"""`opmas agent history`: what an agent's phase and health were, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opmas.cli.agents import HEALTH_STYLES, PHASE_STYLES
from opmas.cli.exits import Exit
from opmas.cli.moments import local, parse_since, span, wire
from opmas.cli.names import call_for_agent
from opmas.cli.text import Cell, render_table, visible

if TYPE_CHECKING:
    from opmas.cli.session import Session, View


def show_history(session: Session) -> Exit:
    """Show the history of one agent."""
    args, now = session.args, datetime.now(UTC)
    asked: dict[str, Any] = {}
    if args.since is not None:
        asked["since"] = wire(parse_since(args.since, now))
    if args.until is not None:
        asked["until"] = wire(parse_since(args.until, now, "--until"))
    if args.lines is not None:
        asked["limit"] = args.lines
    found = call_for_agent(session.manager, "agent.history", args.name, **asked)
    session.show("opmas.agent-history/v1", found, render_history)
    return Exit.OK


def render_history(document: dict[str, Any], view: View) -> str:
    """Return the states as a table, and what they come to."""
    name = document["name"]
    if not document["states"]:
        return f"nothing is known of {name} in this time"
    head = ("SINCE", "FOR", "PHASE", "HEALTH", "REASON", "MESSAGE")
    rows = [_row(state) for state in document["states"]]
    lines = [render_table(head, rows, view.width, view.palette), ""]
    if document["more"]:
        lines.append("older states are left out: --lines N shows more")
    lines += [_sum(each) for each in document["durations"]]
    share = document["availability"]
    if share is not None:
        known = span(document["known_seconds"])
        lines.append(f"{name} ran and was healthy for {percent(share)} of {known}")
    return "\n".join(lines)


def percent(share: float) -> str:
    """Return the share in percent; 100 only when nothing is missing."""
    text = f"{share * 100:.3f}"
    return "99.999 %" if share < 1 and text == "100.000" else f"{text} %"


def _row(state: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        (local(state["at"]), ""),
        (span(state["seconds"]), ""),
        (state["phase"], PHASE_STYLES.get(state["phase"], "")),
        (state["health"], HEALTH_STYLES.get(state["health"], "")),
        (state["reason"], ""),
        (state["message"], "dim"),
    )


def _sum(each: dict[str, Any]) -> str:
    health = "" if each["health"] == "unknown" else f", {each['health']}"
    return visible(f"{each['phase']}{health}: {span(each['seconds'])}")
