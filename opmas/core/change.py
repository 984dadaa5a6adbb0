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

from opmas.core.evidence import Watch, dump_watch, load_watch
from opmas.core.window import DEFAULT_WINDOW

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_AGENT: Final = ""


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
class Wish:
    """What is to become of the agent: the fields of its specification that are to be set.

    `create_only` is of a change that must find no agent of that name.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    create_only: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `before` and `after` are the specifications of its agent, dumped.

    Instants are monotonic, of one boot. `follows` are changes that must be committed first;
    `automatic` ones were asked for by nobody; `watches` is what was gathered for each agent.
    """

    id: int
    kind: Kind
    tasks: tuple[Task, ...]
    agents: tuple[str, ...] = ()
    package: str = ""
    author: str = ""
    state: ChangeState = ChangeState.PLANNED
    reason: str = ""
    message: str = ""
    facts: tuple[str, ...] = ()
    wish: Wish = Wish()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    window: float = DEFAULT_WINDOW
    watch_until: float | None = None
    follows: tuple[int, ...] = ()
    undo_of: int | None = None
    automatic: bool = False
    was_up: tuple[str, ...] = ()  # of its agents, when it began
    watches: dict[str, Watch] = field(default_factory=dict, compare=False)

    @property
    def subject(self) -> str:
        """What the change is about, as in events: agent/web or package/nap."""
        single = len(self.agents) == 1 and self.wish.fields or self.kind is Kind.REMOVE
        return f"agent/{self.agents[0]}" if self.agents and single else f"package/{self.package}"

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
        **{name: getattr(change, name) for name in _PLAIN},
        **{name: list(getattr(change, name)) for name in _LISTS},
        "kind": str(change.kind),
        "state": str(change.state),
        "wish": {"fields": change.wish.fields, "create_only": change.wish.create_only},
        "tasks": [
            {"name": str(t.name), "state": str(t.state), "message": t.message, "params": t.params}
            for t in change.tasks
        ],
        "watches": {name: dump_watch(watch) for name, watch in change.watches.items()},
    }


def load_change(saved: Mapping[str, Any]) -> Change:
    """Return the change that was saved."""
    return Change(
        **{name: saved[name] for name in _PLAIN},
        **{name: tuple(saved[name]) for name in _LISTS},
        kind=Kind(saved["kind"]),
        state=ChangeState(saved["state"]),
        wish=Wish(**saved["wish"]),
        tasks=tuple(
            Task(TaskName(t["name"]), TaskState(t["state"]), t["message"], t["params"])
            for t in saved["tasks"]
        ),
        watches={name: load_watch(watch) for name, watch in saved["watches"].items()},
    )


_PLAIN: Final = (
    "id", "package", "author", "reason", "message", "before", "after", "window", "watch_until",
    "undo_of", "automatic",
)  # fmt: skip
_LISTS: Final = ("agents", "facts", "follows", "was_up")
