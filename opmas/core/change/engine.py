"""The change engine: carries changes through their tasks, forward here and back in `reverting.py`.

Rule 1: `advance` is the only one who begins a task. The writer calls it at the end of each turn,
        saves what came of it, and then carries out the effects: a task is saved before it begins.
Rule 2: every task can be done again. After a kill `resumed` puts back what was being done, and it
        is done from its start.
Rule 3: one change at a time for each agent, in the order of their numbers.
Rule 4: a change that fails is undone, task by task, from the last to the first. What failed before
        anything was changed is refused instead.
Rule 5: nothing here waits: tasks of the shell end by `task_ended`, watches by `sighted`, the
        others when the agents are where they should be.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core import events
from opmas.core import roster as rosters
from opmas.core.agent.condition import dump_spec, load_spec
from opmas.core.agent.state import LIVE, Pending, Then
from opmas.core.agent.terms import Phase
from opmas.core.change.change import (
    HARMLESS,
    OWN_TASKS,
    Change,
    ChangeState,
    Kind,
    Task,
    TaskName,
    TaskState,
)
from opmas.core.change.evidence import baseline, begin, rebooted
from opmas.core.change.ledger import (
    blocker,
    enter,
    failed_before,
    mark,
    marked,
    under_way,
    with_change,
)
from opmas.core.change.reverting import begin_revert, config_digest, revert
from opmas.core.change.sight import is_fresh_start, sight
from opmas.core.change.watching import begin_watch, commit, watch
from opmas.core.events import Measure, RunTask
from opmas.errors import RequestError, RevisionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.agent.state import Agent
    from opmas.core.change.ledger import Step
    from opmas.core.events import Effect
    from opmas.core.roster import Roster

TURNS: Final = 64  # of one change in one call: each begins or ends a task, and there are few


def propose(roster: Roster, change: Change) -> Step:
    """Return the roster with the change planned, under the next number."""
    change = replace(change, id=roster.last_change + 1)
    data: dict[str, Any] = {
        "id": change.id,
        "kind": str(change.kind),
        "from": "",
        "to": str(change.state),
        "reason": change.reason,
        "message": change.message,
    }
    news = events.Announce("opmas.change.state", change.subject, data)
    return with_change(roster, change), (news,)


def expecting(roster: Roster, change: Change) -> Change:
    """Return the change of one agent, to be refused when that is another before it begins."""
    agent = roster.agents.get(change.agents[0])
    return change if agent is None else replace(change, expects=_identity(agent))


def _identity(agent: Agent) -> str:
    return config_digest({**dump_spec(agent.spec), "desired": ""})  # a stop is no change


def advance(roster: Roster, now: float) -> Step:
    """Take every change as far as it can go now."""
    effects: list[Effect] = []
    for change in list(under_way(roster)):
        roster, more = advance_one(roster, change.id, now)
        effects.extend(more)
    return roster, tuple(effects)


def advance_one(roster: Roster, id_: int, now: float) -> Step:
    """Take one change as far as it can go now."""
    effects: list[Effect] = []
    for _ in range(TURNS):
        before = roster
        roster, more = _advance(roster, roster.changes[id_], now)
        effects.extend(more)
        if roster is before:
            break
    return roster, tuple(effects)


def task_ended(
    roster: Roster, id_: int, position: int, outcome: Mapping[str, Any], now: float
) -> Step:
    """Take note of what came of a task of the shell's: `ok`, `code`, `message`, `result`."""
    change = roster.changes.get(id_)
    if change is None or change.is_final or position >= len(change.tasks):
        return roster, ()
    task = change.tasks[position]
    # What is undone while it was done comes to its end by that, and its outcome is none.
    if task.state is TaskState.UNDOING and outcome.get("undo", True):
        return _undone(roster, change, position, outcome)
    if task.state is not TaskState.DOING or task.name in OWN_TASKS:
        return roster, ()
    if outcome["ok"]:
        change = _informed(change, task, outcome["result"])
        done = marked(task, TaskState.DONE, result=outcome["result"])
        return mark(roster, change, position, done)
    left = {"result": outcome["result"]} if outcome.get("result") else {}
    failed = marked(task, TaskState.FAILED, outcome["message"], **left)
    roster, effects = mark(roster, change, position, failed)
    change = roster.changes[id_]
    if change.state is ChangeState.REVERTING:
        return roster, effects
    roster, more = _failed(roster, change, position, outcome, now)
    return roster, (*effects, *more)


def undo(roster: Roster, id_: int, author: str, now: float) -> Step:
    """Take back a change that is under way."""
    change = roster.changes[id_]
    message = f"undone by {author}"
    if change.state is ChangeState.PLANNED:
        return enter(roster, change, ChangeState.REFUSED, reason="undone", message=message)
    if change.state not in {ChangeState.APPLYING, ChangeState.WATCHING}:
        raise RequestError(f"cannot undo change {id_}: it is {change.state}")
    if change.kind is Kind.REMOVE:
        raise RequestError(f"cannot undo change {id_}: what is removed is gone")
    return begin_revert(roster, change, "undone", message, (), now)


def supersede(roster: Roster, name: str) -> Step:
    """End what goes on or waits for an agent that is to be removed: there is nothing to save."""
    effects: list[Effect] = []
    message = f'agent "{name}" is removed'
    for change in list(under_way(roster)):
        if change.agents != (name,) or change.kind is Kind.REMOVE:
            continue
        if change.state is ChangeState.PLANNED:
            state = ChangeState.REFUSED
        elif change.state is ChangeState.WATCHING:
            state = ChangeState.COMMITTED
        else:
            continue  # a job may be under way: its end is waited for
        roster, more = enter(roster, change, state, reason="removed", message=message)
        effects.extend(more)
    return roster, tuple(effects)


def resumed(change: Change, now: float, *, same_boot: bool) -> Change:
    """Return a change as it goes on after the manager was away; instants are of one boot."""
    reverts = change.state is ChangeState.REVERTING
    tasks = tuple(_task_resumed(task, reverts=reverts) for task in change.tasks)
    change = replace(change, tasks=tasks, released_at=None)
    if same_boot:
        return change
    watches = {name: rebooted(watched, now) for name, watched in change.watches.items()}
    return replace(change, watch_until=None, watches=watches)


def _task_resumed(task: Task, *, reverts: bool) -> Task:
    """Return the task as it is to be gone on with: what was being done is done again."""
    if task.state is TaskState.UNDOING:
        return replace(task, state=TaskState.DONE)
    if task.state is not TaskState.DOING or task.name is TaskName.WATCH:
        return task
    if task.name is TaskName.MIGRATE:
        return marked(task, TaskState.FAILED, "it was interrupted")
    if reverts and task.name not in OWN_TASKS:  # its end must be known before it can be undone
        return marked(task, TaskState.DOING, again=True)
    return replace(task, state=TaskState.TODO)


def previewed(roster: Roster, change: Change, result: Mapping[str, Any]) -> Change:
    """Return a change that is only planned as it would begin, with what its check found out."""
    agents = [roster.agents[name] for name in change.agents if name in roster.agents]
    check = next((t for t in change.tasks if t.name is TaskName.CHECK), None)
    change = _specified(change, agents)
    return change if check is None else _informed(change, check, result)


def _advance(roster: Roster, change: Change, now: float) -> Step:
    match change.state:
        case ChangeState.PLANNED:
            return _plan(roster, change, now)
        case ChangeState.APPLYING:
            return _apply(roster, change, now)
        case ChangeState.WATCHING:
            return watch(roster, change, now)
        case ChangeState.REVERTING:
            return revert(roster, change, now)
        case _:
            return roster, ()


def _plan(roster: Roster, change: Change, now: float) -> Step:
    failed = failed_before(roster, change)
    if failed is not None:
        message = f"change {failed.id}, which it follows, was {failed.state}: {failed.message}"
        return enter(roster, change, ChangeState.REFUSED, reason="follows", message=message)
    if blocker(roster, change) is not None:
        return roster, ()
    change = _of_all_agents(roster, change)
    agents = [roster.agents[name] for name in change.agents if name in roster.agents]
    refusal = _refusal(change, agents)
    if refusal is not None:
        reason, message = refusal
        return enter(roster, change, ChangeState.REFUSED, reason=reason, message=message)
    change = replace(
        _specified(change, agents),
        was_up=tuple(a.name for a in agents if _is_up(a)),
        watches={a.name: begin(baseline(s := sight(a, now)), s) for a in agents},
    )
    roster, effects = enter(roster, change, ChangeState.APPLYING)
    return roster, (*effects, Measure(change.id))


def _of_all_agents(roster: Roster, change: Change) -> Change:
    """Return a change of a package for all agents that it has by now."""
    if change.is_of_agent or all(task.name is not TaskName.STOP for task in change.tasks):
        return change
    agents = roster.agents.values()
    names = sorted(a.name for a in agents if a.spec.package == change.package)
    return replace(change, agents=tuple(names))


def _is_up(agent: Agent) -> bool:
    """Return whether the agent runs, or is on its way up for the first time."""
    return agent.phase in {Phase.RUNNING, Phase.RELOADING} or is_fresh_start(agent)


def _refusal(change: Change, agents: list[Agent]) -> tuple[str, str] | None:
    """Return why a change that was planned cannot begin any more, its reason and in words."""
    for agent in agents:
        if agent.then in {Then.REMOVE, Then.PURGE} and change.kind is not Kind.REMOVE:
            return "outdated", f'agent "{agent.name}" is being removed'
        if change.expects and change.expects != _identity(agent):
            return RevisionError.code, f'agent "{agent.name}" was changed since it was looked at'
    if change.is_of_agent and not agents and change.kind is not Kind.CREATE:
        return "outdated", f'no agent is named "{change.agents[0]}" any more'
    return None


def _specified(change: Change, agents: list[Agent]) -> Change:
    if not change.is_of_agent:
        return change
    before = dump_spec(agents[0].spec) if agents else None
    return replace(change, before=before, after={**(before or {}), **change.wish})


def _apply(roster: Roster, change: Change, now: float) -> Step:
    for position, task in enumerate(change.tasks):
        if task.state is TaskState.FAILED:  # found so after the manager was away
            why = {"code": "interrupted", "message": task.message}
            return _failed(roster, change, position, why, now)
        if task.state is TaskState.DOING:
            return _look(roster, change, position)
        if task.state is TaskState.TODO:
            return _begin(roster, change, position, now)
    return commit(roster, change, now)


def _begin(roster: Roster, change: Change, position: int, now: float) -> Step:
    task = change.tasks[position]
    if task.name not in OWN_TASKS:
        roster, effects = mark(roster, change, position, marked(task, TaskState.DOING))
        return roster, (*effects, RunTask(change.id, position))
    if task.name is TaskName.WATCH:
        return begin_watch(roster, change, position, now)
    try:
        roster, effects = _do(roster, change, task.name, now)
    except RequestError as error:
        roster, effects = mark(
            roster, change, position, marked(task, TaskState.FAILED, error.message)
        )
        why = {"code": error.code, "message": error.message, "problems": error.problems}
        roster, more = _failed(roster, roster.changes[change.id], position, why, now)
        return roster, (*effects, *more)
    at_once = task.name in {TaskName.SWITCH, TaskName.START}
    state = TaskState.DONE if at_once else TaskState.DOING
    roster, news = mark(roster, change, position, marked(task, state))
    return roster, (*news, *effects)


def _do(roster: Roster, change: Change, name: TaskName, now: float) -> Step:
    """Do one of the core's own tasks: it is in the roster at once, systemd follows."""
    if name is TaskName.SWITCH:
        return _switch(roster, change, now)
    happens: dict[TaskName, events.Event] = {
        TaskName.STOP: events.Paused(),
        TaskName.START: events.Unpaused(),
        TaskName.REMOVE: events.Remove(purge=bool(change.wish.get("purge"))),
    }
    effects: list[Effect] = []
    for agent in change.agents:
        if agent not in roster.agents:
            continue
        if name is TaskName.REMOVE and roster.agents[agent].then in {Then.REMOVE, Then.PURGE}:
            continue  # it goes already: the manager was away meanwhile
        roster, more = rosters.step(roster, agent, happens[name], now)
        effects.extend(more)
    return roster, tuple(effects)


def _switch(roster: Roster, change: Change, now: float) -> Step:
    spec = load_spec(change.after or {})
    known = roster.agents.get(spec.name)
    if known is not None and "desired" not in change.wish:  # it may have changed meanwhile
        spec = replace(spec, desired=known.spec.desired)
    return rosters.put(roster, spec, now)


def _look(roster: Roster, change: Change, position: int) -> Step:
    """End a task of the core's own when the agents are where it wanted them."""
    task = change.tasks[position]
    agents = [roster.agents[name] for name in change.agents if name in roster.agents]
    if task.name is TaskName.STOP:
        over = all(a.phase not in LIVE and a.pending is Pending.NOTHING for a in agents)
    else:
        over = task.name is TaskName.REMOVE and not agents
    if not over:
        return roster, ()
    return mark(roster, change, position, marked(task, TaskState.DONE))


def _failed(
    roster: Roster, change: Change, position: int, why: Mapping[str, Any], now: float
) -> Step:
    """Undo a change whose task failed; nothing was changed yet: refuse it."""
    begun = [t for t in change.tasks[:position] if t.is_over and t.name not in HARMLESS]
    task = change.tasks[position]
    leaves_nothing = task.name in {*HARMLESS, TaskName.INSTALL, TaskName.SWITCH} or (
        task.name is TaskName.DEB and not task.params.get("result")  # dpkg was not even begun
    )
    facts = tuple(why.get("problems", ()))
    if not begun and leaves_nothing:
        return enter(
            roster,
            change,
            ChangeState.REFUSED,
            reason=why["code"],
            message=why["message"],
            facts=facts,
        )
    return begin_revert(roster, change, why["code"], why["message"], facts, now)


def _undone(roster: Roster, change: Change, position: int, outcome: Mapping[str, Any]) -> Step:
    task = change.tasks[position]
    if outcome["ok"]:
        return mark(roster, change, position, marked(task, TaskState.UNDONE))
    failed = marked(task, TaskState.UNDONE, outcome["message"], undo="failed")
    return mark(roster, change, position, failed)


def _informed(change: Change, task: Task, result: Mapping[str, Any]) -> Change:
    """Return the change with what a check found out: the window, and what is not needed."""
    if task.name is not TaskName.CHECK:
        return change
    needless = {TaskName(name) for name in result.get("needless", ())}
    tasks = tuple(
        replace(t, state=TaskState.SKIPPED)
        if t.name in needless and t.state is TaskState.TODO
        else t
        for t in change.tasks
    )
    return replace(change, tasks=tasks, window=float(result.get("window", change.window)))
