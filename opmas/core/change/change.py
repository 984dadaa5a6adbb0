"""A change of the host: what is wanted, the tasks that lead there, and how far it is.

Everything that an operator, a file or dpkg wants to be otherwise is a change: it is saved before
each of its tasks begins, one at a time goes on for each agent, and it ends in the new state or in
the old one. docs/reference/changes.md is generated from the tables here. `engine.py` carries a
change through them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from opmas.core.change.evidence import Watch, dump_watch, load_watch

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What a change is about."""

    CREATE = "create"
    CONFIG = "config"
    LIMITS = "limits"
    SETTINGS = "settings"
    INSTALL = "install"
    UPDATE = "update"
    ROLLBACK = "rollback"
    REMOVE = "remove"


class ChangeState(StrEnum):
    """Where a change is."""

    PLANNED = "planned"
    APPLYING = "applying"
    WATCHING = "watching"
    COMMITTED = "committed"
    REVERTING = "reverting"
    REVERTED = "reverted"
    REVERT_FAILED = "revert-failed"
    REFUSED = "refused"


class TaskName(StrEnum):
    """One step of a change."""

    CHECK = "check"
    REHEARSE = "rehearse"
    DEB = "deb"
    INSTALL = "install"
    UNINSTALL = "uninstall"
    STOP = "stop"
    SNAPSHOT = "snapshot"
    SWITCH = "switch"
    MIGRATE = "migrate"
    START = "start"
    WATCH = "watch"
    REMOVE = "remove"


class TaskState(StrEnum):
    """How far one task is."""

    TODO = "todo"
    DOING = "doing"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"
    SKIPPED = "skipped"


# From each state of a change to those that may follow.
NEXT_STATES: Final[Mapping[ChangeState, tuple[ChangeState, ...]]] = {
    ChangeState.PLANNED: (ChangeState.APPLYING, ChangeState.REFUSED),
    ChangeState.APPLYING: (
        ChangeState.WATCHING,
        ChangeState.COMMITTED,
        ChangeState.REVERTING,
        ChangeState.REFUSED,
    ),
    ChangeState.WATCHING: (ChangeState.COMMITTED, ChangeState.REVERTING),
    ChangeState.REVERTING: (ChangeState.REVERTED, ChangeState.REVERT_FAILED),
    ChangeState.COMMITTED: (),
    ChangeState.REVERTED: (),
    ChangeState.REVERT_FAILED: (),
    ChangeState.REFUSED: (),
}
FINAL: Final = frozenset(state for state, after in NEXT_STATES.items() if not after)

# What each task does, and what takes it back. A task without an undo leaves nothing behind.
DOES: Final[Mapping[TaskName, tuple[str, str]]] = {
    TaskName.CHECK: ("look whether the new state is allowed: grants, schema, dependencies", ""),
    TaskName.REHEARSE: ("prove that what runs now could be started again", ""),
    TaskName.DEB: ("have apt install or remove the Debian package", "put the one before back"),
    TaskName.INSTALL: ("verify the bundle and unpack it beside the others", "delete it again"),
    TaskName.UNINSTALL: ("delete a version", ""),
    TaskName.STOP: ("stop the agents", "start them, at the very end"),
    TaskName.SNAPSHOT: ("copy the agents' data", "bring the copy back"),
    TaskName.SWITCH: ("write what the agent is started with", "write what it was"),
    TaskName.MIGRATE: ("run the package's migration of the data", "stop it"),
    TaskName.START: ("start the agents", "stop them"),
    TaskName.WATCH: ("compare the agents with themselves before", ""),
    TaskName.REMOVE: ("stop the agent and forget it", ""),
}
# Tasks after which a refusal leaves nothing to take back.
HARMLESS: Final = frozenset({TaskName.CHECK, TaskName.REHEARSE})
# Tasks that the core does itself; the others are done by the shell, which answers.
OWN_TASKS: Final = frozenset(
    {TaskName.STOP, TaskName.SWITCH, TaskName.START, TaskName.WATCH, TaskName.REMOVE}
)


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a change; `params` is what the shell needs to do it."""

    name: TaskName
    state: TaskState = TaskState.TODO
    message: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be done for it."""
        return self.state in {TaskState.DONE, TaskState.SKIPPED}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `subject` is agent/NAME or package/NAME, as in events.

    `wish` is what is to be set in the agent's specification, `before` and `after` are the whole of
    it, dumped. Instants are monotonic, of one boot. `follows` are changes to be committed first;
    `automatic` ones were asked for by nobody; `watches` is what was gathered for each agent.
    """

    id: int
    kind: Kind
    subject: str
    tasks: tuple[Task, ...]
    agents: tuple[str, ...] = ()
    package: str = ""
    author: str = ""
    state: ChangeState = ChangeState.PLANNED
    reason: str = ""
    message: str = ""
    facts: tuple[str, ...] = ()
    wish: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    window: float = 0.0  # seconds
    watch_until: float | None = None
    follows: tuple[int, ...] = ()
    undo_of: int | None = None
    automatic: bool = False
    was_up: tuple[str, ...] = ()  # of its agents, when it began
    expects: str = ""  # what identifies the agent as whoever asked saw it, if that matters
    released_at: float | None = None  # all is undone, and its agents were let go
    watches: dict[str, Watch] = field(default_factory=dict, compare=False)

    @property
    def is_of_agent(self) -> bool:
        """Whether it changes one agent; else it changes a package for all of its agents."""
        return self.subject.startswith("agent/")

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.state in FINAL

    def with_task(self, position: int, task: Task) -> Change:
        """Return the change with that task exchanged."""
        return replace(self, tasks=(*self.tasks[:position], task, *self.tasks[position + 1 :]))


def dump_change(change: Change) -> dict[str, Any]:
    """Return the change as a JSON object."""
    return {
        **{name: getattr(change, name) for name in (*_PLAIN, *_LATER)},
        **{name: list(getattr(change, name)) for name in _LISTS},
        "kind": str(change.kind),
        "state": str(change.state),
        "tasks": [
            {"name": str(t.name), "state": str(t.state), "message": t.message, "params": t.params}
            for t in change.tasks
        ],
        "watches": {name: dump_watch(watch) for name, watch in change.watches.items()},
    }


def load_change(saved: Mapping[str, Any]) -> Change:
    """Return the change that was saved."""
    lists: dict[str, Any] = {name: tuple(saved[name]) for name in _LISTS}
    return Change(
        **{name: saved[name] for name in _PLAIN if name in saved},  # not all of an older version
        **{name: saved.get(name, otherwise) for name, otherwise in _LATER.items()},
        **lists,
        kind=Kind(saved["kind"]),
        state=ChangeState(saved["state"]),
        tasks=tuple(
            Task(TaskName(t["name"]), TaskState(t["state"]), t["message"], t["params"])
            for t in saved["tasks"]
        ),
        watches={name: load_watch(watch) for name, watch in saved["watches"].items()},
    )


_PLAIN: Final = (
    "id", "subject", "package", "author", "reason", "message", "wish", "before", "after", "window",
    "watch_until", "undo_of", "automatic", "released_at",
)  # fmt: skip
_LATER: Final = {"expects": ""}  # not in what older versions saved
_LISTS: Final = ("agents", "facts", "follows", "was_up")
