"""`opmas agent list|show|explain`: what there is to see about agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import Exit
from opmas.cli.moments import age, local, span
from opmas.cli.names import call_for_agent
from opmas.cli.story import tell_changes
from opmas.cli.text import (
    Cell,
    Palette,
    limit,
    plural,
    render_fields,
    render_table,
    size,
    visible,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.cli.session import Session, View

NONE_YET: Final = (
    "no agents yet: `opmas package list` shows what there is, `opmas agent create PACKAGE` runs it"
)

PHASE_STYLES: Final = {
    "running": "good",
    "reloading": "good",
    "starting": "warn",
    "stopping": "warn",
    "backoff": "bad",
    "failed": "bad",
    "quarantined": "bad",
    "stopped": "dim",
    "registered": "dim",
}
HEALTH_STYLES: Final = {
    "healthy": "good",
    "degraded": "warn",
    "unhealthy": "bad",
    "unknown": "dim",
}


def needs_attention(agent: dict[str, Any]) -> bool:
    """Return whether someone should look at the agent."""
    return agent["phase"] in {"backoff", "failed", "quarantined"} or agent["health"] in {
        "degraded",
        "unhealthy",
    }


def most_urgent(agents: Iterable[dict[str, Any]]) -> str:
    """Return the name of the agent that someone should look at first."""
    order = ("quarantined", "failed", "backoff", "unhealthy", "degraded")

    def rank(agent: dict[str, Any]) -> int:
        states = (agent["phase"], agent["health"])
        return min((order.index(s) for s in states if s in order), default=len(order))

    return str(min(agents, key=rank)["name"])


def list_agents(session: Session) -> Exit:
    """Show the agents that fit the filters."""
    args = session.args
    agents = [
        agent
        for agent in session.manager.call("agent.list")["agents"]
        if args.phase in {None, agent["phase"]} and args.package in {None, agent["package"]}
    ]
    filtered = bool(args.phase or args.package)
    render = render_found_agents if filtered else render_agents
    session.show("opmas.agent-list/v1", {"agents": agents}, render)
    return Exit.OK


def show_agent(session: Session) -> Exit:
    """Show everything about one agent."""
    agent = call_for_agent(session.manager, "agent.show", session.args.name)
    session.show("opmas.agent/v1", agent, render_agent)
    return Exit.OK


def explain_agent(session: Session) -> Exit:
    """Say why the agent is in its state."""
    explanation = call_for_agent(session.manager, "agent.explain", session.args.name)
    session.show("opmas.explanation/v1", explanation, render_explanation)
    return Exit.OK


def render_found_agents(document: dict[str, Any], view: View) -> str:
    """Return a table of the agents that a filter left."""
    return render_agents(document, view) if document["agents"] else "no agent fits"


def render_agents(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each agent."""
    if not document["agents"]:
        return NONE_YET
    head = ("AGENT", "PACKAGE", "VERSION", "PHASE", "HEALTH", "SINCE", "MEMORY", "MESSAGE")
    rows = [_row(agent, view) for agent in document["agents"]]
    return render_table(head, rows, view.width, view.palette)


def _row(agent: dict[str, Any], view: View) -> tuple[Cell, ...]:
    return (
        (agent["name"], "bold"),
        (agent["package"], ""),
        (_version(agent), "warn" if _is_unsigned(agent) else ""),
        (agent["phase"], PHASE_STYLES.get(agent["phase"], "")),
        (agent["health"], HEALTH_STYLES.get(agent["health"], "")),
        (age(agent["since"], view.now), "dim"),
        (size(agent["usage"]["memory_bytes"]), ""),
        (remark(agent), ""),
    )


def remark(agent: dict[str, Any]) -> str:
    """Return the one sentence about the agent that matters most now."""
    if agent["held_by"]:
        return f"held by {agent['held_by']}"
    if agent.get("change"):
        return f"change {agent['change']} is under way"
    if agent["health"] in {"degraded", "unhealthy"} and agent["health_message"]:
        return str(agent["health_message"])
    if agent["phase"] != "running":
        return str(agent["message"])
    if agent["needs_restart"]:
        return f"a change waits for `opmas agent restart {agent['name']}`"
    return str(agent["status_text"] or "")


def render_agent(document: dict[str, Any], view: View) -> str:
    """Return everything about one agent, most important first."""
    palette = view.palette
    title = " ".join(
        (
            palette.paint(f"{document['name']}:", "bold"),
            palette.paint(document["phase"], PHASE_STYLES.get(document["phase"], "")),
            visible(f"({document['reason']}) for {age(document['since'], view.now)},"),
            palette.paint(document["health"], HEALTH_STYLES.get(document["health"], "")),
        )
    )
    sections = [
        title,
        wrap(document["message"], view.width, "  ") if document["message"] else "",
        render_fields(_state_fields(document, palette), palette),
        render_fields(_setting_fields(document), palette),
    ]
    return "\n".join(section for section in sections if section)


def _state_fields(agent: dict[str, Any], palette: Palette) -> list[tuple[str, str]]:
    main_pid = f", main PID {agent['main_pid']}" if agent["main_pid"] else ""
    held = f", held by {agent['held_by']}" if agent["held_by"] else ""
    restart = f"yes: `opmas agent restart {agent['name']}`" if agent["needs_restart"] else ""
    return [
        ("package", _package(agent, palette)),
        ("change", f"{agent['change']} is under way" if agent.get("change") else ""),
        ("unit", visible(f"{agent['unit']}{main_pid}")),
        ("wanted", visible(f"{agent['desired']}{held}")),
        ("status", visible(agent["status_text"] or "")),
        ("health", visible(agent["health_message"] or "")),
        ("ready", _readiness(agent)),
        ("checks", _checks(agent["checks"], palette)),
        ("rests on", _facts(agent.get("health_facts") or [], palette)),
        ("restarts", str(agent["restarts"])),
        ("last exit", _last_exit(agent["last_exit"])),
        ("needs restart", restart),
        ("uses", _usage(agent)),
    ]


def _version(agent: dict[str, Any]) -> str:
    found = agent["package_version"]
    return (f"{found} unsigned" if _is_unsigned(agent) else str(found)) if found else "missing"


def _is_unsigned(agent: dict[str, Any]) -> bool:
    return agent.get("trust") == "unsigned"  # a manager from before an upgrade does not tell


def _package(agent: dict[str, Any], palette: Palette) -> str:
    version = palette.paint(_version(agent), "warn" if _is_unsigned(agent) else "")
    return f"{visible(agent['package'])} {version}"


def _checks(checks: Iterable[dict[str, Any]], palette: Palette) -> str:
    lines = []
    for check in checks:
        style = HEALTH_STYLES.get(check["status"], "")
        painted = palette.paint(check["status"], style)
        lines.append(f"{visible(check['name'])} {painted} {visible(check['message'] or '')}")
    return "\n".join(line.rstrip() for line in lines)


def _readiness(agent: dict[str, Any]) -> str:
    if "ready" not in agent:  # a manager from before an upgrade does not tell
        return ""
    return ", ".join(word if agent[word] else f"not {word}" for word in ("ready", "alive"))


def _facts(facts: Iterable[dict[str, Any]], palette: Palette) -> str:
    """Return a line for each fact of the health, with its age; its checks stand elsewhere."""
    lines = []
    for fact in facts:
        if fact["name"].startswith("report/"):
            continue
        painted = palette.paint(fact["status"], HEALTH_STYLES.get(fact["status"], ""))
        old = "" if fact["age"] is None else f" ({span(fact['age'])} ago)"
        lines.append(f"{visible(fact['name'])} {painted} {visible(fact['message'] + old)}")
    return "\n".join(line.rstrip() for line in lines)


def _last_exit(last: dict[str, Any] | None) -> str:
    if last is None:
        return ""
    how = {
        "exited": f"exited with status {last['status']}",
        "killed": f"killed by {last['signal']}",
        "dumped": f"killed by {last['signal']}, core dumped",
    }.get(last["code"], str(last["code"]))
    return visible(f"{how} ({last['result']}) at {local(last['at'])}")


def _usage(agent: dict[str, Any]) -> str:
    usage, limits = agent["usage"], agent["limits"]
    if usage["memory_bytes"] is None:
        return ""
    tasks, cpu = usage["tasks"], usage["cpu_seconds"]
    parts = [f"{size(usage['memory_bytes'])} of {size(limits.get('memory_max'))} memory"]
    parts += [f"{tasks} of {limits.get('tasks_max')} tasks"] if tasks is not None else []
    parts += [f"{cpu:.1f} s of CPU time"] if cpu is not None else []
    return ", ".join(parts)


def _setting_fields(agent: dict[str, Any]) -> list[tuple[str, str]]:
    metrics = agent.get("metrics") or []
    shown = f"{plural(len(metrics), 'metric')} (--json shows them)" if metrics else ""
    return [
        ("limits", render_limits(agent["limits"], agent.get("limits_origin"))),
        ("recovery", visible(render_policy(agent.get("own_recovery") or {}))),
        ("grants", visible(", ".join(agent["grants"]) or "none")),
        ("after", visible(", ".join(agent["after"]))),
        ("metrics", shown),
        ("config", render_config(agent["config"])),
        ("revision", visible(f"{agent['revision']}, changed {local(agent['updated_at'])}")),
    ]


def render_limits(limits: dict[str, Any], origins: dict[str, str] | None = None) -> str:
    """Return limits in one line, sizes as people write them, and who set each."""
    parts = []
    for name, value in limits.items():
        if value is None:
            continue
        origin = (origins or {}).get(name)
        set_by = f" ({origin})" if origin else ""
        parts.append(f"{name} {limit(name, value)}{set_by}")
    return visible(", ".join(parts))


def render_policy(recovery: dict[str, Any]) -> str:
    """Return a recovery policy in one line."""
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in recovery.items())


def render_config(config: dict[str, Any] | None) -> str:
    """Return a configuration as indented JSON, made visible."""
    if not config:
        return "the package's defaults"
    text = json.dumps(config, indent=2, ensure_ascii=False)
    return "\n".join(visible(line) for line in text.split("\n"))


def render_explanation(document: dict[str, Any], view: View) -> str:
    """Return the summary, the sentences and what comes next."""
    summary = wrap(document["summary"], view.width)
    title = "\n".join(view.palette.paint(line, "bold") for line in summary.split("\n"))
    sentences = [wrap(sentence, view.width, "  ") for sentence in document["sentences"]]
    after = wrap(f"Next: {_inner(document['next'])}", view.width, "  ") if document["next"] else ""
    ladder = [wrap(sentence, view.width, "  ") for sentence in document.get("ladder", ())]
    decisions = _decisions(document.get("decisions", ()), view)
    changes = tell_changes(document.get("changes", ()), view)
    story = ["Last changes:", *changes] if changes else []
    told = (title, *sentences, after, *ladder, *decisions, *story)
    return "\n".join(part for part in told if part)


def _decisions(decisions: Iterable[dict[str, Any]], view: View) -> list[str]:
    """Return what was decided when it failed, each with what it rests on."""
    lines = []
    for each in decisions:
        wait = "" if each["delay"] is None else f", next try after {each['delay']:.0f} s"
        title = f"{local(each['at'])} {each['rung']} ({each['reason']}){wait}"
        lines.append(view.palette.paint(visible(f"  {title}"), "bold"))
        lines += [wrap(fact, view.width, "    ") for fact in each["facts"]]
        inputs = ", ".join(f"{k} {json.dumps(v)}" for k, v in each["inputs"].items())
        wrapped = wrap(inputs, view.width, "    ").split("\n")
        lines += [view.palette.paint(line, "dim") for line in wrapped]
    return ["Decisions:", *lines] if lines else []


def _inner(sentence: str) -> str:
    """Return the sentence as it stands after a colon."""
    return sentence[:1].lower() + sentence[1:]
