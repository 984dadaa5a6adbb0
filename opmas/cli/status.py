"""`opmas status`: the host, the manager and all agents at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.cli.agents import most_urgent, needs_attention, render_agents
from opmas.cli.alerts import counted
from opmas.cli.exits import Exit
from opmas.cli.moments import age
from opmas.cli.text import plural, render_fields, size, visible
from opmas.errors import ManagerError

if TYPE_CHECKING:
    from opmas.cli.session import Session, View


def show_status(session: Session) -> Exit:
    """Show everything in one look; the code says whether something needs attention."""
    host = _ask_host(session)
    agents = session.manager.call("agent.list")["agents"]
    attention = [agent["name"] for agent in agents if needs_attention(agent)]
    healthy = host["state"] == "ok" and not attention
    document = {
        "state": "ok" if healthy else "attention",
        "attention": attention,
        "host": host,
        "agents": agents,
    }
    session.show("opmas.status/v1", document, render_status)
    return Exit.OK if healthy else Exit.FAILED


def _ask_host(session: Session) -> dict[str, Any]:
    """Return what the manager says; without one the error has what its rescue says."""
    try:
        return session.manager.call("host.status")
    except ManagerError as error:
        from opmas.cli.rescued import find_rescue

        raise ManagerError(
            error.message, (*error.problems, *find_rescue(session.socket))
        ) from error


def render_status(document: dict[str, Any], view: View) -> str:
    """Return the host's line, the manager's lines and problems, and the agents' table."""
    host, palette = document["host"], view.palette
    style = "good" if host["state"] == "ok" else "bad"
    title = f"{palette.paint(host['host'], 'bold')}: manager {palette.paint(host['state'], style)}"
    sections = [title, *_problems(host, view), render_fields(_fields(host, view), palette)]
    sections += ["", render_agents(document, view)]
    if document["attention"]:
        first = most_urgent(document["agents"])
        count = plural(len(document["attention"]), "agent")
        verb = "needs" if len(document["attention"]) == 1 else "need"
        text = f"{count} {verb} attention: `opmas agent explain {first}` says why"
        sections += ["", palette.paint(text, "warn")]
    return "\n".join(sections)


def _problems(host: dict[str, Any], view: View) -> list[str]:
    return [
        f"  {view.palette.paint(problem['code'], 'bad')}: {visible(problem['message'])}"
        for problem in host["problems"]
    ]


def _fields(host: dict[str, Any], view: View) -> list[tuple[str, str]]:
    systemd, agents = host["systemd"], host["agents"]
    phases = ", ".join(f"{count} {phase}" for phase, count in agents["phases"].items() if count)
    version = str(systemd["version"]).split(" ")[0]
    link = {"private": "private socket", "bus": "system bus", "down": "not connected"}
    connection = link.get(systemd["connection"], systemd["connection"])
    manager = f"{host['version']}, up {age(host['started_at'], view.now)}"
    return [
        ("manager", visible(f"{manager}, {size(host['memory_bytes'])} of memory")),
        ("systemd", visible(f"{version}, {connection}")),
        ("alerts", counted(host.get("alerts") or {})),
        ("packages", str(host["packages"])),
        ("agents", visible(f"{agents['total']}{': ' + phases if phases else ''}")),
    ]
