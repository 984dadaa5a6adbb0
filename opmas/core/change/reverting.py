"""Taking a change back: its tasks are undone from the last to the first, then its agents go on.

An undo that fails does not end the revert: what can be put back is put back, and the change ends
as `revert-failed` with what is left to mend.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core import events
from opmas.core import roster as rosters
from opmas.core.agent.condition import load_spec
from opmas.core.agent.state import LIVE, Pending
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.change.change import Change, ChangeState, Kind, Task, TaskName, TaskState
from opmas.core.change.knownbad import key, remember
from opmas.core.change.ledger import enter, mark, marked, with_change
from opmas.core.events import RunTask
from opmas.errors import BY_CODE, BackendError, OpmasError, RequestError

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.change.ledger import Step
    from opmas.core.events import Effect
    from opmas.core.roster import Roster

# What says nothing against the new state: somebody's word, a full disk, a fault of ours.
NOT_ITS_FAULT: Final = frozenset(
    {"undone", "interrupted", str(Reason.PACKAGE_MISSING), OpmasError.code}
    | {code for code, kind in BY_CODE.items() if issubclass(kind, BackendError)}
)
# Undone by the shell, when they were done.
SHELL_UNDOES: Final = frozenset(
    {TaskName.DEB, TaskName.INSTALL, TaskName.SNAPSHOT, TaskName.MIGRATE}
)
UP: Final = frozenset({Phase.RUNNING, Phase.RELOADING})
COMES_UP_WITHIN: Final = 180.0  # seconds; one that hangs in its start is tried for ever by systemd
DOWN_PHASES: Final = frozenset({Phase.FAILED, Phase.BACKOFF, Phase.QUARANTINED, Phase.STOPPED})


def begin_revert(
    roster: Roster,
    change: Change,
    reason: str,
    message: str,
    facts: tuple[str, ...],
    now: float,
) -> Step:
    """Begin to take the change back, and remember what it led to as bad."""
    if reason not in NOT_ITS_FAULT:
        roster = _remembered(roster, change, reason, now)
    return enter(
        roster, change, ChangeState.REVERTING, reason=reason, message=message, facts=facts
    )


def revert(roster: Roster, change: Change, now: float) -> Step:
    """Undo the last task that is not undone yet; when all are, let the agents go on."""
    for position in reversed(range(len(change.tasks))):
        task = change.tasks[position]
        if task.state is TaskState.UNDOING:
            return _look(roster, change, position)
        if task.state in {TaskState.DONE, TaskState.DOING, TaskState.FAILED}:
            return _undo(roster, change, position, now)
    if change.released_at is None:
        return _release(roster, change, now)
    return _end(roster, change, now)


def _undo(roster: Roster, change: Change, position: int, now: float) -> Step:
    task = change.tasks[position]
    if task.name in SHELL_UNDOES:
        return _undo_by_shell(roster, change, position)
    effects: tuple[Effect, ...] = ()
    state = TaskState.UNDONE
    if task.name is TaskName.START:
        state = TaskState.UNDOING
        for name in change.agents:
            if name in roster.agents:
                roster, more = rosters.step(roster, name, events.Paused(), now)
                effects = (*effects, *more)
    elif task.name is TaskName.SWITCH and task.state is TaskState.DONE:
        roster, effects = _switch_back(roster, change, now)
    elif task.name is TaskName.UNINSTALL and task.state is TaskState.DONE:
        gone = f"{task.params.get('name')} {task.params.get('version')} is deleted"
        task = marked(task, task.state, gone, undo="failed")
    roster, news = mark(roster, change, position, marked(task, state, task.message))
    return roster, (*news, *effects)


def _undo_by_shell(roster: Roster, change: Change, position: int) -> Step:
    task = change.tasks[position]
    if task.state is TaskState.DOING and task.params.get("again"):
        again = replace(task, params={k: v for k, v in task.params.items() if k != "again"})
        roster, effects = mark(roster, change, position, again)
        return roster, (*effects, RunTask(change.id, position))
    if task.state is TaskState.DOING and task.name is not TaskName.MIGRATE:
        return roster, ()  # it cannot be called back: its end is waited for
    if not _left_something(task):
        return mark(roster, change, position, marked(task, TaskState.UNDONE, task.message))
    roster, effects = mark(roster, change, position, marked(task, TaskState.UNDOING, task.message))
    return roster, (*effects, RunTask(change.id, position, undo=True))


def _left_something(task: Task) -> bool:
    result = task.params.get("result", {})
    if task.name is TaskName.INSTALL:  # one that failed left nothing, nor one that was there
        return task.state is TaskState.DONE and bool(result.get("fresh"))
    if task.name is TaskName.DEB:  # one that failed says what was there before, if it began
        return bool(result)
    return task.state is TaskState.DONE or task.name is TaskName.MIGRATE


def _switch_back(roster: Roster, change: Change, now: float) -> Step:
    (name,) = change.agents
    agent = roster.agents.get(name)
    if agent is None:
        return roster, ()
    if change.before is None:  # it was created
        return rosters.step(roster, name, events.Remove(), now)
    spec = load_spec(change.before)
    if "desired" not in change.wish:
        spec = replace(spec, desired=agent.spec.desired)
    try:
        return rosters.put(roster, spec, now)
    except RequestError:  # it is being removed: there is nothing to go back to
        return roster, ()


def _look(roster: Roster, change: Change, position: int) -> Step:
    task = change.tasks[position]
    if task.name is not TaskName.START:
        return roster, ()  # the shell says when it is undone
    agents = _agents(roster, change)
    if any(a.phase in LIVE or a.pending is not Pending.NOTHING for a in agents):
        return roster, ()
    return mark(roster, change, position, marked(task, TaskState.UNDONE, task.message))


def _release(roster: Roster, change: Change, now: float) -> Step:
    """Let the agents run as before: those that were paused, and those that went down."""
    effects: list[Effect] = []
    for agent in _agents(roster, change):
        roster, more = rosters.step(roster, agent.name, events.Unpaused(), now)
        effects.extend(more)
        agent = roster.agents[agent.name]  # noqa: PLW2901 -- as it is after that
        wanted = agent.spec.desired is Desired.RUNNING and not agent.held
        if agent.phase in DOWN_PHASES and wanted and agent.package_present:
            roster, more = rosters.step(roster, agent.name, events.Start(), now)
            effects.extend(more)
    return with_change(roster, replace(change, released_at=now)), tuple(effects)


def _end(roster: Roster, change: Change, now: float) -> Step:
    agents = [a for a in _agents(roster, change) if a.name in change.was_up]
    wanted = [a for a in agents if a.spec.desired is Desired.RUNNING and not a.held]
    late = now - (change.released_at or now) >= COMES_UP_WITHIN
    if not late and any(a.phase not in {*UP, *DOWN_PHASES} for a in wanted):
        return roster, ()
    down = [a.name for a in wanted if a.phase not in UP]
    broken = [t for t in change.tasks if t.params.get("undo") == "failed"]
    state = ChangeState.REVERT_FAILED if down or broken else ChangeState.REVERTED
    left = (
        *change.facts,
        *(f'Agent "{name}" does not run again.' for name in down),
        *(f"The task {t.name} could not be undone: {t.message}." for t in broken),
    )
    return enter(roster, change, state, facts=left)


def _remembered(roster: Roster, change: Change, reason: str, now: float) -> Roster:
    bad_key = bad_key_of(change)
    if bad_key is None:
        return roster
    bad = remember(roster.bad.get(bad_key), roster.utc_offset + now, reason)
    return replace(roster, bad={**roster.bad, bad_key: bad})


def bad_key_of(change: Change) -> str | None:
    """Return under which key it is remembered that the change was undone, or None for not at all.

    A version is bad for every agent of its package, a configuration for that version alone.
    """
    after = change.after or {}
    package = after.get("package", change.package)
    version = after.get("version", "") or change.wish.get("version", "")
    if change.kind is Kind.CONFIG:
        return key(package, version, config_digest(after.get("config", {})))
    if change.kind in {Kind.UPDATE, Kind.INSTALL} and version:
        return key(package, version)
    return None


def config_digest(config: dict[str, Any]) -> str:
    """Return what identifies a configuration."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def _agents(roster: Roster, change: Change) -> list[Agent]:
    return [roster.agents[name] for name in change.agents if name in roster.agents]
