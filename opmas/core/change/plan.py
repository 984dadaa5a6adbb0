"""Plans: which tasks lead from what is wanted to a changed host. Pure; nothing is begun here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.condition import dump_spec
from opmas.core.change.change import Change, Kind, Task, TaskName
from opmas.core.change.window import Size, window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.core.agent.terms import AgentSpec

_UPDATE: Final = (
    TaskName.CHECK, TaskName.REHEARSE, TaskName.STOP, TaskName.SNAPSHOT, TaskName.SWITCH,
    TaskName.MIGRATE, TaskName.START, TaskName.WATCH,
)  # fmt: skip
# The data goes back while the newer code is there: it knows both forms.
_ROLLBACK: Final = (
    TaskName.CHECK, TaskName.REHEARSE, TaskName.STOP, TaskName.SNAPSHOT, TaskName.MIGRATE,
    TaskName.SWITCH, TaskName.START, TaskName.WATCH,
)  # fmt: skip
_DEB_UPDATE: Final = (
    TaskName.REHEARSE, TaskName.DEB, TaskName.CHECK, TaskName.STOP, TaskName.SNAPSHOT,
    TaskName.MIGRATE, TaskName.START, TaskName.WATCH,
)  # fmt: skip
UNNUMBERED: Final = 0


def put(  # noqa: PLR0913 -- what a window and a way depend on
    known: AgentSpec | None,
    spec: AgentSpec,
    *,
    author: str,
    lives: bool,
    factor: float = 1.0,
    wanted: float | None = None,
    back: bool = False,
) -> Change | None:
    """Return the change that makes the agent as specified, or None when it is so already.

    `lives` says that the agent takes a new configuration while it runs; `wanted` is the caller's
    own window, `factor` the host's; `back` is to an older version.
    """
    before = {} if known is None else dump_spec(known)
    wish = {k: v for k, v in dump_spec(spec).items() if known is None or before[k] != v}
    if not wish:
        return None
    kind = _kind(known, wish)
    if kind is Kind.UPDATE:
        kind, names = _to_version(back=back)
        return _of_agent(spec.name, spec.package, kind, _tasks(names, window=wanted), wish, author)
    watched = (kind is Kind.CONFIG and lives) or kind is Kind.LIMITS
    names = (TaskName.SWITCH, TaskName.WATCH) if watched else (TaskName.SWITCH,)
    size = {Kind.LIMITS: Size.LIMITS, Kind.CONFIG: Size.CONFIG}.get(kind, Size.NONE)
    seconds = window(size, factor=factor, wanted=wanted) if watched else 0.0
    return _of_agent(spec.name, spec.package, kind, _tasks(names), wish, author, window=seconds)


def update(
    spec: AgentSpec, version: str, *, author: str, back: bool = False, wanted: float | None = None
) -> Change:
    """Return the change that gives the agent another version; `back` is to an older one."""
    kind, names = _to_version(back=back)
    tasks = _tasks(names, window=wanted)
    return _of_agent(spec.name, spec.package, kind, tasks, {"version": version}, author)


def remove(spec: AgentSpec, *, purge: bool, author: str) -> Change:
    """Return the change that stops the agent and forgets it."""
    wish = {"purge": True} if purge else {}
    return _of_agent(
        spec.name, spec.package, Kind.REMOVE, _tasks((TaskName.REMOVE,)), wish, author
    )


def install(package: str, version: str, params: dict[str, Any], *, author: str) -> Change:
    """Return the change that installs a bundle; `params` are the job's."""
    return _of_package(
        package, Kind.INSTALL, (Task(TaskName.INSTALL, params=params),), author, version
    )


def install_deb(package: str, params: dict[str, Any], *, author: str) -> Change:
    """Return the change that has apt install a package, and then what it carries."""
    tasks = (Task(TaskName.DEB, params=params), Task(TaskName.INSTALL))
    return _of_package(package, Kind.INSTALL, tasks, author, params.get("version") or "")


def update_deb(
    package: str,
    agents: Iterable[str],
    params: dict[str, Any],
    *,
    author: str,
    back: bool = False,
    wanted: float | None = None,
) -> Change:  # fmt: skip
    """Return the change that gives the host, and so all agents of a package, another version."""
    tasks = tuple(
        Task(t.name, params=params) if t.name is TaskName.DEB else t
        for t in _tasks(_DEB_UPDATE, window=wanted)
    )
    kind = Kind.ROLLBACK if back else Kind.UPDATE
    change = _of_package(package, kind, tasks, author, params.get("version") or "")
    return replace(change, agents=tuple(sorted(agents)))


def remove_package(
    package: str, versions: Iterable[str], deb: dict[str, Any] | None, *, author: str
) -> Change:
    """Return the change that deletes versions of a package, and its Debian package."""
    tasks = [] if deb is None else [Task(TaskName.DEB, params=deb)]  # it can be put back
    tasks += [
        Task(TaskName.UNINSTALL, params={"name": package, "version": version})
        for version in versions
    ]
    return _of_package(package, Kind.REMOVE, (Task(TaskName.CHECK), *tasks), author)


def unwatched(change: Change) -> Change:
    """Return the change without its watch."""
    tasks = tuple(task for task in change.tasks if task.name is not TaskName.WATCH)
    return replace(change, tasks=tasks, window=0.0)


def _to_version(*, back: bool) -> tuple[Kind, tuple[TaskName, ...]]:
    return (Kind.ROLLBACK, _ROLLBACK) if back else (Kind.UPDATE, _UPDATE)


def _kind(known: AgentSpec | None, wish: dict[str, Any]) -> Kind:
    if known is None:
        return Kind.CREATE
    for kind, keys in (
        (Kind.UPDATE, {"package", "version"}),
        (Kind.CONFIG, {"config"}),
        (Kind.LIMITS, {"limits"}),
    ):
        if keys & wish.keys():
            return kind
    return Kind.SETTINGS


def _tasks(names: Iterable[TaskName], **check: Any) -> tuple[Task, ...]:
    """Return the tasks; what the caller wants of the window is for the check that sets it."""
    given = {key: value for key, value in check.items() if value is not None}
    return tuple(Task(n, params=given if n is TaskName.CHECK else {}) for n in names)


def _of_agent(  # noqa: PLR0913 -- a change has so much to it
    name: str,
    package: str,
    kind: Kind,
    tasks: tuple[Task, ...],
    wish: dict[str, Any],
    author: str,
    *,
    window: float = 0.0,
) -> Change:
    return Change(
        UNNUMBERED, kind, f"agent/{name}", tasks, agents=(name,), package=package, author=author,
        wish=wish, window=window,
    )  # fmt: skip


def _of_package(
    package: str, kind: Kind, tasks: tuple[Task, ...], author: str, version: str = ""
) -> Change:
    wish = {"version": version} if version else {}
    return Change(
        UNNUMBERED, kind, f"package/{package}", tasks, package=package, author=author, wish=wish
    )
