"""The changes of a `FakeHost`: they end at once, or go on step by step when `by_hand` is set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from opmas.errors import TransitionError, UnknownChangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FINAL: Final = {"committed", "reverted", "revert-failed", "refused"}
TASKS: Final = {
    "create": ("switch", "start", "watch"),
    "config": ("switch", "watch"),
    "limits": ("switch", "start", "watch"),
    "settings": ("switch", "start", "watch"),
    "install": ("check", "install"),
    "update": ("check", "rehearse", "install", "stop", "switch", "start", "watch"),
    "rollback": ("check", "rehearse", "stop", "switch", "start", "watch"),
    "remove": ("stop", "remove"),
}
WINDOW: Final = 60

Change = dict[str, Any]


class Emit(Protocol):
    """Appends an event to the log."""

    def __call__(self, event_type: str, subject: str = "host", **data: Any) -> int:
        """Return the event's sequence."""


class Move(NamedTuple):
    """What a change does, and what takes it back."""

    apply: Callable[[], None]
    undo: Callable[[], None]


class Verdict(NamedTuple):
    """Why a change is undone."""

    reason: str
    message: str
    facts: tuple[str, ...] = ()


class Ledger:
    """All changes by their number. `doom` says which are undone; `step` takes one further."""

    def __init__(self, emit: Emit) -> None:
        self.by_hand = False
        self.changes: dict[int, Change] = {}
        self._emit = emit
        self._lives: dict[int, Iterator[None]] = {}
        self._moves: dict[int, Move] = {}
        self._doomed: dict[str, Verdict] = {}

    def doom(self, subject: str, reason: str, message: str, *facts: str) -> None:
        """Have the next change of the subject undone."""
        self._doomed[subject] = Verdict(reason, message, facts)

    def plan(self, kind: str, subject: str, **more: Any) -> Change:
        """Return a change as it is planned, of no effect and without a number."""
        names = TASKS[kind] if subject.startswith("agent/") or kind != "remove" else ("uninstall",)
        watched = "watch" in names
        return {
            "id": 0,
            "kind": kind,
            "subject": subject,
            "agents": [],
            "package": "",
            "author": "",
            "state": "planned",
            "reason": "",
            "message": f"{kind} {subject.partition('/')[2]}",
            "before": None,
            "after": None,
            "tasks": [{"name": name, "state": "todo", "message": ""} for name in names],
            "progress": None,
            "window": WINDOW if watched else 0,
            "watch_left": None,
            "waits_for": None,
            "undo_of": None,
            "created_at": now(),
            "updated_at": now(),
            "ended_at": None,
            "serial": 0,
            "facts": [],
            "restarts": [],
            **{name: value for name, value in more.items() if value is not None},
        }

    def begin(self, change: Change, move: Move) -> Change:
        """Give the change a number and let it go on, to its end unless `by_hand` is set."""
        ahead = [other for other in self.active() if set(other["agents"]) & set(change["agents"])]
        number = len(self.changes) + 1
        change |= {"id": number, "serial": 1, "waits_for": ahead[-1]["id"] if ahead else None}
        self.changes[number] = change
        self._moves[number] = move
        self._lives[number] = self._life(change, move)
        self._emit(
            "opmas.change.state",
            change["subject"],
            **{"id": number, "kind": change["kind"], "from": None, "to": "planned"},
            reason="",
            message=change["message"],
        )
        if not self.by_hand:
            self.finish(number)
        return change

    def active(self) -> list[Change]:
        """Return the changes that are under way, the oldest first."""
        return [change for change in self.changes.values() if change["state"] not in FINAL]

    def newest(self, agent: str | None = None) -> list[Change]:
        """Return the changes of an agent, or all, the newest first."""
        changes = reversed(self.changes.values())
        return [change for change in changes if agent in {None, *change["agents"]}]

    def get(self, number: int) -> Change:
        """Return the change of that number."""
        if number not in self.changes:
            raise UnknownChangeError(f"cannot find change {number}")
        return self.changes[number]

    def step(self, number: int) -> bool:
        """Take the change one step further; return whether it goes on."""
        change = self.get(number)
        ahead = change["waits_for"]
        if ahead and self.changes[ahead]["state"] not in FINAL:
            return True
        next(self._lives[number], None)
        return change["state"] not in FINAL

    def finish(self, number: int) -> None:
        """Take the change to its end."""
        while self.step(number):
            pass

    def undo(self, number: int) -> Change | None:
        """Take back a change under way and return it; None says that it is over."""
        change = self.get(number)
        if change["state"] in {"reverted", "refused", "reverting", "revert-failed"}:
            raise TransitionError(f"cannot undo change {number}: it is {change['state']}")
        if change["state"] == "committed":
            return None
        verdict = Verdict("undone", "somebody took it back")
        self._lives[number] = self._reverted(change, self._moves[number], verdict)
        if not self.by_hand:
            self.finish(number)
        return change

    def back(self, number: int) -> Move:
        """Return the move that takes back what a committed change did."""
        move = self._moves[number]
        return Move(move.undo, move.apply)

    def _life(self, change: Change, move: Move) -> Iterator[None]:
        change["waits_for"] = None
        self._turn(change, "applying")
        for task in change["tasks"]:
            if task["name"] == "watch":
                move.apply()
                self._turn(change, "watching", watch_left=change["window"])
            self._mark(change, task, "doing")
            if task["name"] == "install":
                change["progress"] = {"step": "unpack", "done": 512, "total": 1024}
            yield
            change["progress"] = None
            if verdict := task["name"] == "watch" and self._doomed.pop(change["subject"], None):
                yield from self._reverted(change, move, verdict)
                return
            self._mark(change, task, "done")
        if change["tasks"][-1]["name"] != "watch":
            if verdict := self._doomed.pop(change["subject"], None):
                self._end(change, "refused", *verdict)
                return
            move.apply()
        self._end(change, "committed", "passed", "it does as well as before")

    def _reverted(self, change: Change, move: Move, verdict: Verdict) -> Iterator[None]:
        applied = change["state"] == "watching"
        self._turn(change, "reverting", reason=verdict.reason, message=verdict.message)
        for task in reversed(change["tasks"]):
            if task["state"] in {"doing", "done"}:
                self._mark(change, task, "undoing")
                yield
                self._mark(change, task, "undone")
        if applied:
            move.undo()
        self._end(change, "reverted", *verdict)

    def _end(
        self, change: Change, state: str, reason: str, message: str, facts: tuple[str, ...] = ()
    ) -> None:
        change["facts"] = list(facts)
        self._turn(change, state, reason=reason, message=message, ended_at=now())

    def _turn(self, change: Change, state: str, **more: Any) -> None:
        before = change["state"]
        change |= {"watch_left": None, **more, "state": state, "updated_at": now()}
        change["serial"] += 1
        self._emit(
            "opmas.change.state",
            change["subject"],
            **{"id": change["id"], "kind": change["kind"], "from": before, "to": state},
            reason=change["reason"],
            message=change["message"],
        )

    def _mark(self, change: Change, task: dict[str, Any], state: str) -> None:
        task["state"] = state
        change |= {"serial": change["serial"] + 1, "updated_at": now()}
        told = {"id": change["id"], "task": task["name"], "state": state}
        self._emit("opmas.change.step", change["subject"], **told, message="")


def now() -> str:
    """Return the time as the manager writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
