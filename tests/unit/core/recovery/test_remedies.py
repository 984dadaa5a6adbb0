"""What is done for one agent that concerns more than this one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.agent.condition import dump_spec
from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.change import engine, plan
from opmas.core.change.change import Change, ChangeState, Kind, Task, TaskName
from opmas.core.change.evidence import baseline, begin
from opmas.core.change.knownbad import key
from opmas.core.change.sight import sight
from opmas.core.events import Announce, StopUnit
from opmas.core.health.report import Report
from opmas.core.health.vitals import Said, Vitals
from opmas.core.recovery.alteration import Alteration, alteration, part_digest
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.decided import Cure, Remedy
from opmas.core.recovery.remedies import remedy
from opmas.core.roster import Roster
from tests.builders import agent, running, spec

UNDO = Remedy(Cure.UNDO, "7")
RESTART = Remedy(Cure.RESTART, "db")


def altered(before, **changes):
    digest = part_digest(dump_spec(spec(version="2.0", config={"n": 2})), before)
    given = {"change": 7, "kind": "update", "at": 0.0, "was_well": True, "digest": digest}
    return Alteration(**{**given, "before": before, **changes})


def victim(alteration_, **changes):
    given = {"phase": Phase.BACKOFF, "reason": Reason.UNDO, "failures": 2, "retry_at": 99.0}
    wanted = spec(version="2.0", config={"n": 2})
    return agent(spec=wanted, altered=alteration_, **{"remedy": UNDO, **given, **changes})


def was_undone(subject):
    return subject.altered is not None and subject.altered.undone


def test_an_undo_is_a_change_back_that_is_not_watched():
    known = Roster({"web": victim(altered({"config": {"n": 1}}))}, last_change=7)

    after, effects = remedy(known, 5.0)

    change = after.changes[8]
    assert (change.kind, change.undo_of, change.reason) == (Kind.CONFIG, 7, "recovery")
    assert change.wish == {"config": {"n": 1}}
    assert [t.name for t in change.tasks] == [TaskName.SWITCH]
    assert change.automatic
    assert [e.type for e in effects if isinstance(e, Announce)] == ["opmas.change.state"]
    assert after.agents["web"].remedy is None
    assert was_undone(after.agents["web"])


def test_the_agent_starts_as_it_was_when_the_undo_is_carried_out():
    known = Roster({"web": victim(altered({"config": {"n": 1}}))}, last_change=7)

    after, _ = remedy(known, 5.0)
    after, _ = engine.advance(after, 5.0)

    back = after.agents["web"]
    assert after.changes[8].state is ChangeState.COMMITTED
    assert (back.spec.config, back.phase, back.reason) == ({"n": 1}, Phase.STARTING, Reason.CHANGE)
    assert (back.failures, back.altered) == (0, None)


def test_what_led_to_it_is_remembered_as_bad():
    bad_key = key("nap", "2.0")
    known = Roster({"web": victim(altered({"version": "1.0"}, bad_key=bad_key))}, last_change=7)

    after, _ = remedy(known, 5.0)

    assert after.bad[bad_key].count == 1
    assert after.changes[8].kind is Kind.ROLLBACK


def test_a_change_of_a_package_is_undone_once_for_all_of_its_agents():
    whole = altered({}, package="nap", deb={"deb": "opmas-agent-nap", "version": "1.0"})
    one, other = victim(whole), replace(victim(whole), spec=spec("b"))
    known = Roster({"web": one, "b": other}, last_change=7)

    after, _ = remedy(known, 5.0)

    (change,) = after.changes.values()
    (deb,) = [t for t in change.tasks if t.name is TaskName.DEB]
    assert deb.params == {"job": "apt-rollback", "deb": "opmas-agent-nap", "version": "1.0"}
    assert change.agents == ("b", "web")
    assert all(was_undone(a) and a.remedy is None for a in after.agents.values())


def test_an_agent_that_is_so_already_is_left_alone():
    known = Roster({"web": victim(altered({"config": {"n": 2}}))})

    after, effects = remedy(known, 5.0)

    assert (after.changes, effects) == ({}, ())


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING, Phase.STOPPED])
def test_a_remedy_that_comes_too_late_is_dropped(phase):
    """While the database is away nothing is undone, and the agent is tried all the same."""
    known = Roster({"web": victim(altered({"config": {"n": 1}}), phase=phase)}, last_change=7)

    after, effects = remedy(known, 5.0)

    assert (after.changes, effects) == ({}, ())
    assert after.agents["web"].remedy is None
    assert not was_undone(after.agents["web"])


def sick():
    said = Said(Report(Health.UNHEALTHY, "no"), 0.0)
    return running("db", spec=spec("db", package="db"), vitals=Vitals(reported=said))


def waiting():
    return agent(phase=Phase.BACKOFF, reason=Reason.DEPENDENCY_RESTART, remedy=RESTART, failures=1)


def test_the_dependency_is_restarted_and_keeps_its_own_failures():
    known = Roster({"web": waiting(), "db": replace(sick(), failures=2)}, budget=Budget(2, 60.0))

    after, effects = remedy(known, 5.0)

    db = after.agents["db"]
    assert StopUnit("db") in effects
    assert (db.phase, db.reason) == (Phase.STOPPING, Reason.DEPENDENCY_RESTART)
    assert (db.failures, db.renewed_at) == (2, 5.0)
    assert db.decisions[-1].inputs["victim"] == "web"
    assert after.budget.spent_until > 0
    assert after.agents["web"].phase is Phase.BACKOFF


def test_one_that_is_on_its_way_already_or_gone_is_not():
    gone = Roster({"web": waiting()})
    down = Roster({"web": waiting(), "db": agent("db", phase=Phase.STOPPED)})
    poor = Roster({"web": waiting(), "db": sick()}, budget=Budget(1, 1.0).taken(5.0))

    for known in (gone, down, poor):
        after, effects = remedy(known, 5.0)

        assert effects == ()
        assert after.agents.get("db") == known.agents.get("db")


# ---- what a committed change leaves with its agents ----


def committed(subject="agent/web", **changes):
    seen = sight(running(), 0.0)
    given = {
        "tasks": (Task(TaskName.SWITCH),),
        "agents": ("web",),
        "package": "nap",
        "was_up": ("web",),
        "watches": {"web": begin(baseline(seen), seen)},
        "wish": {"config": {"n": 2}},
        "before": dump_spec(spec(config={"n": 1})),
        "after": dump_spec(spec(config={"n": 2})),
    }
    return Change(7, Kind.CONFIG, subject, **{**given, **changes})


def test_a_change_is_kept_with_all_that_going_back_needs():
    found = alteration(committed(), "web", 50.0, "bad")

    assert found is not None
    assert (found.before, found.was_well, found.at) == ({"config": {"n": 1}}, True, 50.0)


def test_what_cannot_break_an_agent_is_not_kept():
    order = {"wish": {"after": ["db"]}}

    assert alteration(committed(**order), "web", 0.0, "") is None
    assert alteration(committed(undo_of=3), "web", 0.0, "") is None
    assert alteration(committed(before=None), "web", 0.0, "") is None


def test_an_agent_that_did_not_run_was_not_well():
    found = alteration(committed(was_up=()), "web", 0.0, "")

    assert found is not None
    assert not found.was_well


def test_of_a_debian_package_the_version_before_is_kept():
    task = Task(TaskName.DEB, params={"deb": "opmas-agent-nap", "result": {"before": "1.0"}})
    change = replace(
        committed("package/nap", tasks=(task,), wish={}, before=None, after=None), kind=Kind.UPDATE
    )

    found = alteration(change, "web", 0.0, "")

    assert found is not None
    assert found.deb == {"deb": "opmas-agent-nap", "version": "1.0"}


def test_an_operators_undo_ends_the_suspicion():
    known = Roster({"web": victim(altered({"config": {"n": 1}}), remedy=None)}, last_change=7)
    wanted = spec(version="2.0", config={"n": 1})
    back = plan.put(known.agents["web"].spec, wanted, author="ann", lives=False)
    assert back is not None

    known, _ = engine.propose(known, replace(plan.unwatched(back), undo_of=7))
    known, _ = engine.advance(known, 5.0)

    assert known.agents["web"].altered is None
