"""What the outside is told of changes: the ChangeView of docs/reference/json.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import Phase
from opmas.core.change.change import Change, ChangeState, TaskName, TaskState, load_change
from opmas.core.change.knownbad import key
from opmas.core.change.ledger import blocker
from opmas.errors import StoreError, UnknownChangeError
from opmas.manager.control.discretion import Discretion
from opmas.manager.state.saver import Stamps
from opmas.store.rows import ChangeQuery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.core.agent.state import Agent
    from opmas.manager.changes.admission import Admission
    from opmas.manager.changes.jobs import Jobs
    from opmas.manager.clock import Clock
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer
    from opmas.packages.collection import Packages

FORWARD: Final = frozenset({ChangeState.PLANNED, ChangeState.APPLYING, ChangeState.WATCHING})
NEW: Final = Stamps("", "")
DOING: Final = frozenset({TaskState.DOING, TaskState.UNDOING})


class ChangeViews:
    """Makes the documents from the roster, and from the database for those that ended."""

    def __init__(
        self,
        writer: Writer,
        databases: Databases,
        jobs: Jobs,
        clock: Clock,
        admission: Admission,
        packages: Packages,
    ) -> None:
        self._admission = admission
        self._discretion = Discretion(packages)
        self._writer = writer
        self._databases = databases
        self._jobs = jobs
        self._clock = clock

    def one(self, id_: int) -> dict[str, Any]:
        """Return the change of that number, or raise `UnknownChangeError`."""
        known = self._writer.roster.changes.get(id_)
        if known is not None:
            return self.view(known)
        database = self._databases.current
        row = None if database is None else database.change(id_)
        if row is None:
            raise UnknownChangeError(f"there is no change {id_}")
        stamps = Stamps(row.created_at, row.updated_at, row.ended_at)
        return self._document(load_change(row.document), stamps)

    def many(self, query: ChangeQuery) -> list[dict[str, Any]]:
        """Return the changes that match, the newest first."""
        database = self._databases.current
        if database is None:
            raise StoreError("cannot list changes: there is no usable database")
        views = []
        for row in database.changes(query):
            known = self._writer.roster.changes.get(row.id)
            stamps = Stamps(row.created_at, row.updated_at, row.ended_at)
            views.append(
                self.view(known) if known else self._document(load_change(row.document), stamps)
            )
        return views

    def of_agent(self, name: str, most: int = 5) -> list[dict[str, Any]]:
        """Return the agent's last changes, the newest first; none while no database is usable."""
        if self._databases.current is None:
            return []
        return self.many(ChangeQuery(agent=name, limit=most))

    def view(self, change: Change) -> dict[str, Any]:
        """Return the view of a change in the roster, or of one that is only planned."""
        return self._document(change, self._writer.saver.stamps.get(change.id, NEW))

    def serial(self, id_: int) -> int:
        """Return a number that grows with each step of the change, and of its progress."""
        stamps = self._writer.saver.stamps.get(id_, NEW)
        return stamps.serial + self._jobs.steps

    def _document(self, change: Change, stamps: Stamps) -> dict[str, Any]:
        specs = (change.before, change.after, {"package": change.package, **change.wish})
        waits = None
        if change.state is ChangeState.PLANNED and change.id:
            waits = blocker(self._writer.roster, change)
        return {
            "id": change.id,
            "kind": str(change.kind),
            "subject": change.subject,
            "agents": list(change.agents),
            "package": change.package,
            "author": change.author,
            "state": str(change.state),
            "reason": change.reason,
            "message": change.message,
            "before": self._discretion.spec(_differing(change.before, change.after), specs)
            or _version(change, "before"),
            "after": self._discretion.spec(_differing(change.after, change.before), specs)
            or _version(change, "after")
            or self._discretion.spec(change.wish, specs)
            or None,
            "tasks": [
                {"name": str(t.name), "state": str(t.state), "message": t.message}
                for t in change.tasks
            ],
            "progress": self._progress(change),
            "window": change.window,
            "watch_left": self._left(change),
            "waits_for": None if waits is None else waits.id,
            "undo_of": change.undo_of,
            "created_at": stamps.created_at or None,
            "updated_at": stamps.updated_at or None,
            "ended_at": stamps.ended_at,
            "serial": self.serial(change.id),
            "facts": [*change.facts, *self._known(change)],
            "restarts": self._restarts(change),
        }

    def _known(self, change: Change) -> Iterator[str]:
        """Yield what whoever asks for the change may not know, as sentences."""
        if change.state not in FORWARD:
            return
        version = change.wish.get("version", "")
        bad = self._writer.roster.bad.get(key(change.package, version)) if version else None
        if bad is not None:
            times = "once" if bad.count == 1 else f"{bad.count} times"
            yield f"{change.package} {version} was undone {times} before: {bad.cause}."
        if any(task.params.get("holds") for task in change.tasks):
            yield (
                f"The package {change.package} is held by it, and its agents stay as they are:"
                f" `opmas package unhold {change.package}` lets it go."
            )

    def _progress(self, change: Change) -> dict[str, Any] | None:
        for position, task in enumerate(change.tasks):
            if task.state not in DOING:
                continue
            found = self._jobs.progress_of(change.id)
            if found is None:
                return {"step": str(task.name), "done": position, "total": len(change.tasks)}
            return {"step": found.step, "done": found.done, "total": found.total}
        return None

    def _left(self, change: Change) -> float | None:
        if change.state is not ChangeState.WATCHING:
            return None
        if change.watch_until is None:
            return change.window
        return round(max(0.0, change.watch_until - self._clock.monotonic()), 1)

    def _restarts(self, change: Change) -> list[str]:
        """Return the agents that the change restarts: its own, and those that require them."""
        if not any(t.name in {TaskName.STOP, TaskName.REMOVE} for t in change.tasks):
            return []
        roster = self._writer.roster
        names = change.agents if change.state is ChangeState.PLANNED else change.was_up
        dependents = {d for name in names for d in self._admission.dependents(name, roster)}
        up = [n for n in {*names, *dependents} if n in roster.agents and _is_up(roster.agents[n])]
        return sorted(up if change.state is ChangeState.PLANNED else {*change.was_up, *up})


def _is_up(agent: Agent) -> bool:
    return agent.phase in {Phase.RUNNING, Phase.RELOADING}


def _version(change: Change, which: str) -> dict[str, Any] | None:
    """Return the version of a package before or after, as dpkg or the bundle said it."""
    for task in change.tasks:
        result = task.params.get("result") or {}
        found = result.get(which) or (result.get("version") if which == "after" else None)
        if found and task.name in {TaskName.DEB, TaskName.INSTALL}:
            return {"version": found}
    return None


def _differing(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {key: value for key, value in one.items() if other is None or other.get(key) != value}
