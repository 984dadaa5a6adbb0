"""`opmas events`: the event log, once or as it grows.

`Follower` keeps the number of the last event it has seen and asks for what comes after it, so a
manager that goes away and comes back costs neither a missed event nor a repeated one.
"""

from __future__ import annotations

import json
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from opmas.cli.exits import Exit, UsageError
from opmas.cli.moments import local, parse_since, wire
from opmas.cli.text import visible
from opmas.errors import AccessDeniedError, ManagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opmas.cli.session import Session, View

PAGE: Final = 1000  # the most that the manager gives at once
NEWEST: Final = 50
LONG_POLL: Final = 30.0  # seconds
RETRY: Final = (0.1, 0.2, 0.5, 1.0)  # seconds between tries to reach the manager; the last goes on

WHY: Final = {
    "age": "they were older than events.max_age",
    "count": "the log keeps events.max_count",
    "size": "the log was larger than events.max_bytes",
    "agent-quota": "agents' own events were more than their share, events.agents_share",
    "disk-full": "the disk was full",
    "restored": "the database was lost, and restored from before or made anew",
}
STYLES: Final = {
    "opmas.agent.exited": "warn",
    "opmas.agent.refused": "bad",
    "opmas.package.refused": "bad",
    "opmas.manager.problem": "bad",
    "opmas.manager.recovered": "good",
    "opmas.log.pruned": "warn",
    "opmas.log.restored": "bad",
    "running": "good",
    "healthy": "good",
    "degraded": "warn",
    "unhealthy": "bad",
    "backoff": "bad",
    "failed": "bad",
    "quarantined": "bad",
    "committed": "good",
    "reverting": "warn",
    "reverted": "bad",
    "revert-failed": "bad",
    "refused": "bad",
    "warning": "warn",
    "error": "bad",
}


def show_events(session: Session) -> Exit:
    """Print the events that are there, and with --follow those to come."""
    args = session.args
    if args.lines is not None and not 0 <= args.lines <= PAGE:
        raise UsageError(f"cannot show {args.lines} events: choose 0 to {PAGE}")
    if args.after is not None and args.after < 0:
        raise UsageError(f"cannot show events after {args.after}: choose 0 or more")
    filters = {"agent": args.agent, "type": args.type}
    filters = {name: value for name, value in filters.items() if value}
    events, last, gone = _past(session, filters)
    for each in gone:
        session.note(missing(each))
    if not args.follow:
        document = {"events": events, "last": last, **({"dropped": gone} if gone else {})}
        session.show("opmas.event-list/v1", document, render_events)
        return Exit.OK
    for event in events:
        _print(session, event)
    with session.new_client() as manager:
        for event in follow(manager, last, filters, session.note):
            _print(session, event)
    return Exit.OK


def missing(dropped: dict[str, Any]) -> str:
    """Return in words which events are gone, and why."""
    first, last = dropped["first"], dropped["last"]
    some = "some of the events" if dropped["reason"] == "agent-quota" else "the events"
    return f"{some} {first} to {last} are gone: {WHY.get(dropped['reason'], dropped['reason'])}"


Past = tuple[list[dict[str, Any]], int, list[dict[str, Any]]]


def _past(session: Session, filters: dict[str, str]) -> Past:
    """Return the events, where to go on, and what is gone of those after a number."""
    args, manager = session.args, session.manager
    if args.since is None and args.after is None:
        count = NEWEST if args.lines is None else args.lines
        found = manager.call("event.list", limit=max(count, 1), **filters)
        return found["events"][-count:] if count else [], int(found["last"]), []
    start: dict[str, Any] = dict(filters)
    if args.since is not None:
        start["since"] = wire(parse_since(args.since, datetime.now(UTC)))
    kept: deque[dict[str, Any]] = deque(maxlen=args.lines)
    last = args.after
    gone: dict[tuple[str, int], dict[str, Any]] = {}  # each is named by every page that it is in
    while True:
        after = {} if last is None else {"after": last}
        found = manager.call("event.list", limit=PAGE, **after, **start)
        kept.extend(found["events"])
        for each in found.get("dropped", ()):
            gone.setdefault((each["reason"], each["last"]), each)
        if not found["events"] or found["last"] == last:
            return list(kept), int(found["last"]), list(gone.values())
        last = int(found["last"])


def _print(session: Session, event: dict[str, Any]) -> None:
    line = json.dumps(event) if session.as_json else render_event(event, session.view)
    print(line, flush=True)


class Caller(Protocol):
    """A manager that can be called."""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of the method."""


def follow(
    manager: Caller, last: int, filters: dict[str, str], note: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Yield every event after number `last` that fits, for ever; `note` is told of breaks."""
    tries = 0
    told: set[tuple[str, int]] = set()  # what is gone
    while True:
        try:
            if tries:
                last = _place(manager, last, note)
                note("the manager answers again")
                tries = 0
            found = manager.call("event.list", after=last, wait=LONG_POLL, limit=PAGE, **filters)
        except (ManagerError, AccessDeniedError) as error:
            # denied: while the manager starts its socket is for a moment root's alone
            if tries == 0:
                note(f"{error.message}; waiting for it")
            time.sleep(RETRY[min(tries, len(RETRY) - 1)])
            tries += 1
            continue
        for each in found.get("dropped", ()):
            if (each["reason"], each["last"]) not in told:
                told.add((each["reason"], each["last"]))
                note(missing(each))
        yield from found["events"]
        last = int(found["last"])


def _place(manager: Caller, last: int, note: Callable[[str], None]) -> int:
    """Return where to go on: the start of the log when it was begun anew (a lost database)."""
    log = manager.call("host.status")["events"]
    if int(log["last"]) >= last:
        return last
    note("the event log was begun anew: showing it from its start")
    return 0


def render_events(document: dict[str, Any], view: View) -> str:
    """Return a line for each event."""
    return "\n".join(render_event(event, view) for event in document["events"]) or "no events"


def render_event(event: dict[str, Any], view: View) -> str:
    """Return one line about the event."""
    palette, data = view.palette, event.get("data") or {}
    style = STYLES.get(event["type"]) or STYLES.get(
        str(data.get("to") or data.get("severity")), ""
    )
    return "  ".join(
        (
            palette.paint(f"{event['sequence']:>6}", "dim"),
            visible(local(event["time"])),
            palette.paint(str(event["subject"]).ljust(16), "bold"),
            visible(event["type"]).ljust(21),
            palette.paint(describe(event), style),
        )
    ).rstrip()


def describe(event: dict[str, Any]) -> str:
    """Return in words what the event tells, whatever its type."""
    data = event.get("data") or {}
    kind = str(event["type"])
    if kind in {"opmas.agent.phase", "opmas.agent.health"}:
        return _with(_turn(data), data.get("message"))
    if kind.startswith("opmas.change."):
        return _with(_step(kind, data), data.get("message"))
    if kind in TOLD:
        return TOLD[kind](data)
    if data.get("message"):
        severity = f"{data['severity']}: " if data.get("severity") else ""
        return f"{severity}{data['message']}"
    return ", ".join(f"{name} {_short(value)}" for name, value in data.items())


def _exited(data: dict[str, Any]) -> str:
    how = data.get("signal") or f"status {data.get('status')}"
    return f"{data.get('code')}, {how} ({data.get('result')})"


def _by(data: dict[str, Any]) -> str:
    return f"by {data.get('by')}"


def _signs(data: dict[str, Any]) -> str:
    return "; ".join(str(sign.get("message")) for sign in data.get("signs") or ()) or "over"


def _decision(data: dict[str, Any]) -> str:
    wait = "" if data.get("delay") is None else f", next try after {data['delay']:.0f} s"
    facts = " ".join(map(str, data.get("facts") or ()))
    return f"{data.get('rung')} ({data.get('reason')}){wait}: {facts}"


TOLD: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "opmas.agent.exited": _exited,
    "opmas.agent.held": _by,
    "opmas.agent.released": _by,
    "opmas.agent.pressure": _signs,
    "opmas.agent.recovery": _decision,
}


def _step(kind: str, data: dict[str, Any]) -> str:
    change = f"change {data.get('id')}"
    if kind == "opmas.change.step":
        return f"{change}: {data.get('task')} {data.get('state')}"
    return f"{change}, {data.get('kind')}: {_turn(data)}"


def _turn(data: dict[str, Any]) -> str:
    reason = f" ({data['reason']})" if data.get("reason") else ""
    before = f"{data['from']} -> " if data.get("from") else ""
    return f"{before}{data.get('to')}{reason}"


def _with(text: str, message: object) -> str:
    return f"{text}: {message}" if message else text


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
