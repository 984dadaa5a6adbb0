"""One change in words: what it changes, how far it is, how it came out. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.moments import age, local, parse_wire
from opmas.cli.text import Cell, Palette, render_fields, render_table, size, visible, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.cli.session import View

Change = dict[str, Any]

FINAL: Final = {"committed", "reverted", "revert-failed", "refused"}
STATE_STYLES: Final = {
    "committed": "good",
    "watching": "warn",
    "applying": "warn",
    "reverting": "warn",
    "reverted": "bad",
    "revert-failed": "bad",
    "refused": "bad",
    "planned": "dim",
}
TASK_STYLES: Final = {"done": "good", "doing": "warn", "undoing": "warn", "failed": "bad"}
UNDOING: Final = {"undoing", "reverting"}
PAST: Final = {
    "create": "created",
    "config": "reconfigured",
    "limits": "changed",
    "settings": "changed",
    "install": "installed",
    "update": "updated",
    "rollback": "rolled back",
    "remove": "removed",
}
SIZES: Final = ("memory_max", "memory_high")  # limits that are bytes


def has_ended(change: Change) -> bool:
    """Return whether nothing more will come of the change."""
    return change["state"] in FINAL


def succeeded(change: Change) -> bool:
    """Return whether the change came out as asked."""
    return bool(change["state"] == "committed")


def has_failed(change: Change) -> bool:
    """Return whether the change ended otherwise than asked."""
    return has_ended(change) and not succeeded(change)


def subject(change: Change) -> str:
    """Return the name of what is changed."""
    return str(change["subject"]).partition("/")[2]


def headline(change: Change) -> str:
    """Return what is changed in a few words: `update web 1.0.0 -> 1.1.0`."""
    old, new = _version(change["before"]), _version(change["after"])
    moved = {
        (True, True): f" {old} -> {new}" if old != new else "",
        (False, True): f" {new}",
        (True, False): f" {old}" if change["after"] is None else "",
    }.get((bool(old), bool(new)), "")
    return f"{change['kind']} {subject(change)}{moved}"


def _version(side: dict[str, Any] | None) -> str:
    return str((side or {}).get("version") or "")


def render_change(document: Change, view: View) -> str:
    """Return everything about one change, most important first."""
    palette = view.palette
    state = palette.paint(document["state"], STATE_STYLES.get(document["state"], ""))
    reason = visible(f" ({document['reason']})") if document["reason"] else ""
    number = palette.paint(f"change {document['id']}:", "bold")
    title = f"{number} {visible(headline(document))}"
    sections = [
        f"{title}: {state}{reason}",
        wrap(document["message"], view.width, "  ") if document["message"] else "",
        *(wrap(fact, view.width, "  - ") for fact in document["facts"]),
        render_fields(_fields(document, palette), palette),
    ]
    return "\n".join(section for section in sections if section)


def _fields(change: Change, palette: Palette) -> list[tuple[str, str]]:
    left = change["watch_left"]
    return [
        ("by", visible(f"{change['author'] or 'itself'}, {local(change['created_at'])}")),
        ("took", took(change)),
        ("package", visible(change["package"])),
        ("agents", visible(", ".join(change["agents"]))),
        ("restarts", visible(", ".join(change["restarts"]))),
        ("changes", difference(change["before"], change["after"])),
        ("tasks", _tasks(change, palette)),
        ("now at", progress_text(change) if not has_ended(change) else ""),
        ("watch", f"{left:.0f} of {change['window']:.0f} s left" if left is not None else ""),
        ("waits for", f"change {change['waits_for']}" if change["waits_for"] else ""),
        ("undo of", f"change {change['undo_of']}" if change["undo_of"] else ""),
    ]


def _tasks(change: Change, palette: Palette) -> str:
    room = max((len(str(task["name"])) for task in change["tasks"]), default=0)
    lines = []
    for task in change["tasks"]:
        state = palette.paint(task["state"], TASK_STYLES.get(task["state"], "dim"))
        lines.append(f"{visible(task['name']).ljust(room)}  {state}  {visible(task['message'])}")
    return "\n".join(line.rstrip() for line in lines)


def took(change: Change) -> str:
    """Return how long the change took; nothing while it is under way."""
    end = parse_wire(change["ended_at"]) if change["ended_at"] else None
    return age(change["created_at"], end) if end else ""


def difference(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    """Return a line for each value that differs: `config.interval  10 -> 30`."""
    old, new = _flat(before or {}), _flat(after or {})
    differ = [key for key in {**old, **new} if _shown(key, old) != _shown(key, new)]
    room = max(map(len, map(visible, differ)), default=0)
    return "\n".join(
        f"{visible(key).ljust(room)}  {_shown(key, old)} -> {_shown(key, new)}" for key in differ
    )


def _flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = _flat(value, f"{path}{name}.") if isinstance(value, dict) and value else None
        found.update(inner if inner is not None else {f"{path}{name}": value})
    return found


def _shown(key: str, values: dict[str, Any]) -> str:
    value = values.get(key)
    if value is None or value in ({}, []):
        return "-"
    if key.rpartition(".")[2] in SIZES and isinstance(value, int):
        return size(value)
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def current_task(change: Change) -> str:
    """Return the task that is under way; empty between two."""
    doing = [t["name"] for t in change["tasks"] if t["state"] in {"doing", "undoing"}]
    return str(doing[0]) if doing else ""


def progress_text(change: Change) -> str:
    """Return in a few words what the change does now."""
    if change["waits_for"] and change["state"] == "planned":
        return f"waits for change {change['waits_for']}"
    if change["state"] == "watching" and change["watch_left"] is not None:
        return f"watching, {change['watch_left']:.0f} s left"
    task, progress = current_task(change), change["progress"]
    text = f"undo {task}" if change["state"] == "reverting" and task else task or change["state"]
    if not progress or progress["step"] == task:  # no more than the task itself
        return visible(text)
    total = f" of {size(progress['total'])}" if progress["total"] else ""
    amount = f" {size(progress['done'])}{total}" if progress["done"] or total else ""
    return visible(f"{text}: {progress['step']}{amount}")


def render_changes(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each change."""
    if not document["changes"]:
        return "no changes"
    head = ("ID", "CHANGE", "STATE", "AGE", "BY", "MESSAGE")
    rows = [_row(change, view) for change in document["changes"]]
    return render_table(head, rows, view.width, view.palette)


def _row(change: Change, view: View) -> tuple[Cell, ...]:
    message = change["message"] if has_ended(change) else progress_text(change)
    return (
        (str(change["id"]), "bold"),
        (headline(change), ""),
        (change["state"], STATE_STYLES.get(change["state"], "")),
        (age(change["created_at"], view.now), "dim"),
        (change["author"] or "-", ""),
        (message, ""),
    )


def render_outcome(document: Change, view: View) -> str:
    """Return how the change came out, in one line when all is well."""
    name = view.palette.paint(f"{subject(document)}:", "bold")
    number = f"change {document['id']}"
    state = document["state"]
    if state == "committed":
        what = PAST.get(document["kind"], str(document["kind"]))
        moved = visible(headline(document)).partition(f"{visible(subject(document))}")[2]
        return f"{name} {view.palette.paint(what, 'good')}{moved} ({number})"
    if state not in FINAL:
        return f"{name} {visible(document['kind'])}: {progress_text(document)} ({number})"
    painted = view.palette.paint(state, STATE_STYLES[state])
    lines = [f"{name} {visible(document['kind'])} {painted}: {visible(document['message'])}"]
    lines += [wrap(fact, view.width, "  - ") for fact in document["facts"]]
    lines.append(f"  `opmas change show {document['id']}` shows more")
    return "\n".join(lines)


def render_outcomes(document: dict[str, Any], view: View) -> str:
    """Return how each of the changes came out."""
    lines = [render_outcome(change, view) for change in document["changes"]]
    return "\n".join(lines) or "nothing to do: all is as asked already"


def render_accepted(document: Change, view: View) -> str:
    """Return the number of a change that is not waited for."""
    number = view.palette.paint(f"change {document['id']}", "bold")
    return f"{number}: {visible(headline(document))}, `opmas change wait {document['id']}`"


def render_all_accepted(document: dict[str, Any], view: View) -> str:
    """Return the numbers of changes that are not waited for."""
    lines = [render_accepted(change, view) for change in document["changes"]]
    return "\n".join(lines) or "nothing to do: all is as asked already"


def render_planned(document: Change, view: View) -> str:
    """Return what the change would do, and that nothing was done."""
    return f"{planned(document, view)}\n{view.palette.paint('nothing was done', 'dim')}"


def render_all_planned(document: dict[str, Any], view: View) -> str:
    """Return what each of the changes would do, and that nothing was done."""
    if not document["changes"]:
        return "nothing to do: all is as asked already"
    plans = [planned(change, view) for change in document["changes"]]
    return "\n".join((*plans, view.palette.paint("nothing was done", "dim")))


def planned(change: Change, view: View) -> str:
    """Return what the change would do: its tasks, whom it restarts, what differs."""
    title = view.palette.paint(f"would {headline(change)}", "bold")
    return f"{title}\n{render_fields(plan_fields(change), view.palette)}".rstrip()


def plan_fields(change: Change) -> list[tuple[str, str]]:
    """Return the lines of a plan."""
    window = f"{change['window']:.0f} s" if change["window"] else "none"
    return [
        ("tasks", visible(", ".join(task["name"] for task in change["tasks"]))),
        ("restarts", visible(", ".join(change["restarts"]) or "no agent")),
        ("window", window),
        ("waits for", f"change {change['waits_for']}" if change["waits_for"] else ""),
        ("differs", difference(change["before"], change["after"])),
        ("known", "\n".join(visible(fact) for fact in change["facts"])),
    ]


def tell_changes(changes: Iterable[Change], view: View) -> list[str]:
    """Return a sentence for each change, for the story of an agent."""
    lines = []
    for change in changes:
        state = view.palette.paint(change["state"], STATE_STYLES.get(change["state"], ""))
        when = age(change["created_at"], view.now)
        message = f": {visible(change['message'])}" if change["message"] else ""
        lines.append(
            f"  change {change['id']}, {when} ago: {visible(headline(change))}, {state}{message}"
        )
    return lines
