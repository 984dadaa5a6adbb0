"""What goes wrong between a change and others: systemctl, kills, dependents, older versions."""

from __future__ import annotations

from dataclasses import replace

from opmas.core import events, roster
from opmas.core.agent.state import Pending
from opmas.core.agent.terms import Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.change import engine, plan
from opmas.core.change.change import (
    ChangeState,
    Kind,
    TaskName,
    TaskState,
    dump_change,
    load_change,
)
from opmas.core.change.reverting import COMES_UP_WITHIN
from opmas.core.events import RunTask, StartUnit, StopUnit
from opmas.core.roster import Roster
from tests.builders import activating, active, inactive, running, spec

NOW = 100.0


def nap(name: str = "web", **changes):
    return running(name, spec=spec(name, package="nap", version="1.0"), **changes)


def updating(*states: TaskState, state: ChangeState = ChangeState.APPLYING):
    """An update of web whose first tasks are in these states."""
    change = plan.update(nap().spec, "1.1", author="ann")
    tasks = tuple(
        replace(task, state=each)
        for task, each in zip(change.tasks, (*states, *[TaskState.TODO] * 8), strict=False)
    )
    return replace(change, id=1, state=state, tasks=tasks, was_up=("web",))


def test_an_agent_that_somebody_starts_while_a_change_needs_it_down_is_stopped_again():
    paused = nap(paused=True, phase=Phase.STOPPED, reason=Reason.CHANGE, unit=inactive())

    agents, effects = roster.step(Roster({"web": paused}), "web", events.UnitSeen(active()), NOW)

    assert StopUnit("web") in effects
    assert agents.get("web").phase is Phase.STOPPING


def test_nobody_is_started_whose_dependency_a_change_holds_down():
    db = nap("db", paused=True, phase=Phase.STOPPED, reason=Reason.CHANGE, unit=None)
    web = nap(phase=Phase.STARTING, reason=Reason.REQUESTED, pending=Pending.QUEUED, unit=None)
    ties = {("nap", "1.0"): Ties(requires=("db",))}
    agents = Roster({"db": db, "web": web}, ties=ties)

    agents, effects = roster.tie(agents, NOW)

    assert roster.turns(agents) == ()
    assert not [e for e in effects if isinstance(e, StartUnit)]
    assert agents.get("web").pending is Pending.QUEUED


def test_a_job_that_was_under_way_when_its_change_was_undone_is_waited_for_after_a_kill():
    change = plan.install("nap", "1.0", {"path": "/x"}, author="ann")
    change = replace(change, id=1, state=ChangeState.REVERTING)
    change = change.with_task(0, replace(change.tasks[0], state=TaskState.DOING))

    again = engine.resumed(change, NOW, same_boot=True)
    agents, effects = engine.advance(Roster(changes={1: again}, last_change=1), NOW)

    assert RunTask(1, 0) in effects
    assert agents.changes[1].state is ChangeState.REVERTING

    told = {"ok": True, "result": {"fresh": True, "name": "nap", "version": "1.0"}}
    agents, _ = engine.task_ended(agents, 1, 0, told, NOW)
    agents, effects = engine.advance(agents, NOW)

    assert RunTask(1, 0, undo=True) in effects


def test_a_revert_ends_when_the_old_version_hangs_in_its_start():
    change = updating(*[TaskState.UNDONE] * 8, state=ChangeState.REVERTING)
    web = nap(phase=Phase.STARTING, reason=Reason.AUTO_RESTART, unit=activating())
    agents = Roster({"web": web}, changes={1: replace(change, released_at=NOW)}, last_change=1)

    early, _ = engine.advance(agents, NOW + COMES_UP_WITHIN - 1)
    late, _ = engine.advance(agents, NOW + COMES_UP_WITHIN)

    assert early.changes[1].state is ChangeState.REVERTING
    assert late.changes[1].state is ChangeState.REVERT_FAILED
    assert 'Agent "web" does not run again.' in late.changes[1].facts


def test_a_change_of_a_package_is_of_all_agents_that_there_are_when_it_begins():
    change = replace(plan.update_deb("nap", ["web"], {}, author="ann"), id=1)
    agents = Roster({"web": nap(), "late": nap("late")}, changes={1: change}, last_change=1)

    agents, _ = engine.advance(agents, NOW)

    assert agents.changes[1].agents == ("late", "web")
    assert agents.changes[1].was_up == ("late", "web")


def test_a_change_that_an_older_version_saved_is_read_all_the_same():
    saved = dump_change(updating(TaskState.DOING))
    del saved["released_at"]

    assert load_change(saved).released_at is None
    assert load_change(saved).kind is Kind.UPDATE
    assert load_change(saved).tasks[0].name is TaskName.CHECK
