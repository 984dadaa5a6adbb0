"""`opmas agent limits`: what applies to agents, what they need, and what would fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.cli.exits import Exit, UsageError
from opmas.cli.follow import patience
from opmas.cli.names import call_for_agent
from opmas.cli.text import Cell, limit, render_table
from opmas.cli.versions import finish, show_plan

if TYPE_CHECKING:
    from opmas.cli.session import Session, View


def show_limits(session: Session) -> Exit:
    """Show the limits of one agent or all, or give an agent those that are proposed."""
    name = session.args.name
    if session.args.apply:
        if name is None:
            raise UsageError("cannot apply limits to no agent: `opmas agent limits NAME --apply`")
        return _apply(session, name)
    if name is None:
        found = session.manager.call("limits.list")["agents"]
    else:
        found = [call_for_agent(session.manager, "limits.show", name)]
    session.show("opmas.agent-limits/v1", {"agents": found}, render_limits)
    return Exit.OK


def _apply(session: Session, name: str) -> Exit:
    seconds = patience(session)
    if session.args.dry_run:
        answer = call_for_agent(session.manager, "limits.apply", name, dry_run=True)
        return show_plan(session, answer["change"])
    answer = call_for_agent(session.manager, "limits.apply", name, author=session.author)
    return finish(session, answer["change"], seconds)


def render_limits(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each limit of each agent."""
    if not document["agents"]:
        return "no agents yet"
    head = ("AGENT", "LIMIT", "IS", "SET BY", "USED", "P99", "PROPOSED")
    rows = [row for agent in document["agents"] for row in _rows(agent)]
    table = render_table(head, rows, view.width, view.palette)
    return "\n".join([table, *_notes(document["agents"])])


def _rows(agent: dict[str, Any]) -> list[tuple[Cell, ...]]:
    used, learned = agent["used"], agent["learned"]
    beside = {
        "memory_max": (used["memory_bytes"], learned["memory_bytes"]),
        "tasks_max": (used["tasks"], learned["tasks"]),
        "cpu_quota": (None, learned["cpu_percent"]),
    }
    rows: list[tuple[Cell, ...]] = []
    for name, value in agent["limits"].items():
        now, most = beside.get(name, (None, None))
        proposed = agent["proposed"].get(name)
        rows.append(
            (
                ("" if rows else agent["name"], "bold"),
                (name, ""),
                (limit(name, value), ""),
                (_origin(agent, name), "dim"),
                (limit(name, now), ""),
                (limit(name, most), ""),
                (limit(name, proposed), "warn"),
            )
        )
    return rows


def _origin(agent: dict[str, Any], name: str) -> str:
    cut = agent["limits_cut"].get(name)
    origin = str(agent["limits_origin"].get(name, ""))
    return f"{origin}, asked for {limit(name, cut)}" if cut is not None else origin


def _notes(agents: list[dict[str, Any]]) -> list[str]:
    notes = []
    if any(agent["proposed"] for agent in agents):
        notes.append("what is proposed is set with: opmas agent limits NAME --apply")
    new = [agent["name"] for agent in agents if not agent["learned"]["enough"]]
    if new and agents[0]["mode"] != "off":
        notes.append(f"not watched for long enough yet: {', '.join(new)}")
    return notes
