"""What the manager itself says, when it answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from opmas.client.control import ManagerClient
from opmas.errors import OpmasError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

PATIENCE: Final = 1.0  # seconds for each answer; half of its time a busy one takes 0.1
ROUNDS: Final = 3
EXPLAINED: Final = 40  # agents
LISTS: Final = {  # method -> its member, and the file
    "alert.list": ("alerts", "alerts.jsonl"),
    "package.list": ("packages", "packages.jsonl"),
    "change.list": ("changes", "changes-seen.jsonl"),
}
STATES: Final = 30  # of the history of each; a few thousand characters
WELL: Final = frozenset({"running", "stopped", "registered"})
HEALTHY: Final = frozenset({"healthy", "unknown", ""})


def gather(scene: Scene, out: Outcome) -> None:
    """Gather the manager's state, its views of agents and packages, and why some are not well."""
    with ManagerClient(scene.socket, PATIENCE) as client:
        try:
            _status(client, out)
            views = _call(client, out, "agent.list").get("agents", [])
        except OpmasError as error:
            out.problem(f"the manager: {error.message}")
            out.board.put("views", None)
            out.board.put("unwell", [])
            return
        out.board.put("views", views)
        unwell = [view["name"] for view in views if not is_well(view)]
        out.board.put("unwell", unwell)
        out.add("agents/views.jsonl", views)
        _rest(client, scene, out, [*scene.names, *(n for n in unwell if n not in scene.names)])
        if not scene.is_root:
            _events(client, scene, out)


def is_well(view: dict[str, Any]) -> bool:
    """Return whether nothing about the agent needs an explanation."""
    as_wanted = view.get("desired") != "running" or view.get("phase") == "running"
    return (
        as_wanted
        and view.get("phase") in WELL
        and view.get("health", "") in HEALTHY
        and not view.get("needs_restart")
    )


def _status(client: ManagerClient, out: Outcome) -> None:
    trips = []
    status: dict[str, Any] = {}
    for _ in range(ROUNDS):
        begin = time.monotonic()
        status = client.call("host.status")
        trips.append(time.monotonic() - begin)
    out.took("manager's round trip", min(trips))
    out.add("manager.json", status)
    answered = status["systemd"].get("answer_seconds")  # not from an earlier version
    if answered is not None:
        out.took("bridge's answer", answered)


def _rest(client: ManagerClient, scene: Scene, out: Outcome, names: list[str]) -> None:
    for method, (member, path) in LISTS.items():
        try:
            out.add(path, _call(client, out, method).get(member, []))
        except OpmasError as error:
            out.problem(f"the manager: {error.message}")
    since = _text(scene.since)
    _each(out, names, "explain", lambda name: client.call("agent.explain", name=name))
    _each(
        out, names, "history",
        lambda name: client.call("agent.history", name=name, since=since, limit=STATES),
    )  # fmt: skip
    if len(names) > EXPLAINED:
        out.problem(f"{len(names) - EXPLAINED} more agents are not well and not explained")


def _each(out: Outcome, names: list[str], what: str, ask: Callable[[str], dict[str, Any]]) -> None:
    """Add a file for each agent, as far as there is time."""
    for name in names[:EXPLAINED]:
        if out.left < PATIENCE / 2:
            out.problem(f"{what}: no time for {name} and those after it")
            return
        try:
            out.add(f"{what}/{name}.json", ask(name))
        except OpmasError as error:
            out.problem(f"{what} {name}: {error.message}")


def _events(client: ManagerClient, scene: Scene, out: Outcome) -> None:
    try:
        found = client.call("event.list", since=_text(scene.since), limit=1000)
        out.add("events.jsonl", found["events"])
    except OpmasError as error:
        out.problem(f"the manager: {error.message}")


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _call(client: ManagerClient, out: Outcome, method: str) -> dict[str, Any]:
    begin = time.monotonic()
    answer = client.call(method)
    out.took(f"manager's {method}", time.monotonic() - begin)
    return answer
