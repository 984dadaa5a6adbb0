"""What somebody should know of: raised once, cleared once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core import events, roster
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.events import Announce
from opmas.core.health.damping import Damping
from opmas.core.health.report import Report
from opmas.core.health.vitals import Sign
from opmas.core.recovery.alerts import (
    SEVERITIES,
    UNDONE_FOR,
    UNHEALTHY_FOR,
    WORDS,
    Code,
    begun,
    follow,
    listed,
)
from opmas.core.recovery.alteration import Alteration
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.decided import Decided
from opmas.core.roster import Roster
from tests.builders import agent, running, spec


def whole(*agents, **changes):
    return Roster({a.name: a for a in agents}, alerts={}, **changes)


def told(before, after, now=0.0):
    found, news = follow(before, after, now)
    return found, [(n.type.rpartition(".")[2], n.data["alert"], n.subject) for n in news]


def with_agent(known, changed):
    return replace(known, agents={**known.agents, changed.name: changed})


def test_every_code_has_its_severity_and_its_words():
    assert set(SEVERITIES) == set(WORDS) == set(Code)


def test_a_quarantine_is_told_once_and_its_end_too():
    before = whole(running())
    bad = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)

    up, news = told(before, with_agent(before, bad))
    same, none = told(up, up, 5.0)
    _, end = told(same, with_agent(same, running()), 9.0)

    assert news == [("raised", "quarantined", "agent/web")]
    assert none == []
    assert end == [("cleared", "quarantined", "agent/web")]
    assert listed(up)[0].message == "it failed 6 times in a row"


def test_a_failure_of_what_is_wanted_stopped_is_no_alert():
    before = whole(running())
    left = agent(spec=spec(desired=Desired.STOPPED), phase=Phase.FAILED, reason=Reason.CRASHED)
    wanted = agent(phase=Phase.FAILED, reason=Reason.EXIT_CONFIG)

    assert told(before, with_agent(before, left))[1] == []
    assert told(before, with_agent(before, wanted))[1] == [("raised", "failed", "agent/web")]


def test_an_agent_is_unhealthy_for_long_by_time_alone():
    sick, _ = roster.step(
        whole(running()), "web", events.HealthReported(Report(Health.UNHEALTHY, "no disk")), 0.0
    )

    soon, first = told(sick, sick, UNHEALTHY_FOR - 1)
    late, second = told(soon, soon, UNHEALTHY_FOR)

    assert first == []
    assert second == [("raised", "unhealthy", "agent/web")]
    assert "no disk" in listed(late)[0].message


def test_an_undo_is_told_for_a_day():
    undone = Decided(1000.0, "undo", "undo", 10.0, (), {"suspect": 7})
    before = whole(running())
    now_is = with_agent(before, running(decisions=(undone,)))

    up, news = told(before, now_is, 1001.0)
    _, end = told(up, up, 1000.0 + UNDONE_FOR)

    assert news == [("raised", "undone", "agent/web")]
    assert listed(up)[0].message == "change 7 was undone"
    assert end == [("cleared", "undone", "agent/web")]


def test_an_undo_that_is_not_done_yet_is_not_told_as_done():
    undone = Decided(1000.0, "undo", "undo", 10.0, (), {"suspect": 7})
    altered = Alteration(7, "config", 900.0, was_well=True, undone=True)
    before = whole(running())

    up, _ = told(before, with_agent(before, running(decisions=(undone,), altered=altered)), 1001.0)

    assert listed(up)[0].message == "change 7 is being undone, or could not be"


def test_an_agent_that_ends_again_and_again_is_told_until_it_is_calm():
    """Slower than systemd's start limit, it is never given up: nobody else would tell of it."""
    before = whole(running())
    restless = replace(running(), vitals=replace(running().vitals, exits=(100.0, 200.0, 300.0)))

    up, news = told(before, with_agent(before, restless), 300.0)
    calm = replace(restless, since=1.0)  # it was looked at again
    _, end = told(up, with_agent(up, calm), 700.0)

    assert news == [("raised", "restarts-often", "agent/web")]
    assert listed(up)[0].message == "it ended by itself 3 times in 10 minutes"
    assert end == [("cleared", "restarts-often", "agent/web")]


@pytest.mark.parametrize(
    ("exits", "failures"),
    [((1.0, 1.1, 1.2), 0), ((1.0, 101.0, 201.0), 1)],
    ids=["systemd gives it up soon", "systemd gave it up"],
)
def test_what_the_ladder_takes_care_of_is_not_told_twice(exits, failures):
    before = whole(running())
    bad = replace(running(), failures=failures)
    bad = replace(bad, vitals=replace(bad.vitals, exits=exits))

    _, news = told(before, with_agent(before, bad), 202.0)

    assert news == []


def test_memory_near_its_limit_is_told():
    before = whole(running())
    after, _ = roster.step(
        before, "web", events.Pressed((Sign("near-memory-limit", "90 % of 256M"),)), 1.0
    )

    assert told(before, after)[1] == [("raised", "near-memory-limit", "agent/web")]


def test_the_budget_is_told_while_somebody_waits_and_until_it_is_whole():
    before = whole(budget=Budget(2, 60.0))
    spent = replace(before, budget=before.budget.taken(0.0).taken(0.0))

    up, news = told(before, spent, 0.0)
    still, none = told(up, up, 1.5)
    _, end = told(still, still, 2.0)

    assert news == [("raised", "restart-budget", "host")]
    assert none == []
    assert end == [("cleared", "restart-budget", "host")]


def test_what_is_up_when_the_manager_comes_back_is_not_told_again():
    bad = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)
    loaded = Roster({"web": bad})

    up, news = told(loaded, loaded)

    assert news == []
    assert [a.code for a in listed(up)] == [Code.QUARANTINED]


def logged(*events_):
    """What the event log says: (seconds since 1970, raised or cleared, alert)."""
    return [
        (at, Announce(f"opmas.alert.{what}", "agent/web", {"alert": code, "message": "it was so"}))
        for at, what, code in events_
    ]


def test_an_alert_began_when_it_was_told_however_often_the_manager_began_since():
    bad = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)
    loaded = Roster({"web": bad})

    alerts = begun(loaded, logged((70.0, "raised", "quarantined")), 500.0)
    before = replace(loaded, alerts=alerts)
    up, news = told(before, with_agent(before, replace(bad, message="seen")), 500.0)

    assert news == []
    assert [(a.since, a.message) for a in listed(up)] == [(70.0, "it failed 6 times in a row")]


def test_an_alert_that_does_not_hold_any_more_after_a_boot_is_told_as_over():
    loaded = Roster({"web": running()})

    alerts = begun(loaded, logged((70.0, "raised", "unhealthy")), 5.0)
    before = replace(loaded, alerts=alerts)
    _, news = told(before, with_agent(before, agent(phase=Phase.STARTING)), 5.0)

    assert news == [("cleared", "unhealthy", "agent/web")]


def test_what_became_an_alert_while_the_manager_was_away_is_told():
    sick = replace(running(), damping=Damping(Health.UNHEALTHY, 0.0))
    past = logged((1.0, "raised", "unhealthy"), (2.0, "cleared", "unhealthy"))
    loaded = Roster({"web": sick})

    before = replace(loaded, alerts=begun(loaded, past, UNHEALTHY_FOR))
    _, news = told(before, before, UNHEALTHY_FOR)

    assert news == [("raised", "unhealthy", "agent/web")]


def test_what_the_log_does_not_know_any_more_follows_from_what_was_saved():
    loaded = Roster({"web": agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP)})

    assert list(begun(loaded, (), 5.0)) == ["quarantined:agent/web"]


def test_an_alert_of_another_version_of_opmas_is_nothing_that_is_up():
    assert begun(Roster(), logged((1.0, "raised", "moon-phase")), 5.0) == {}


def test_a_removed_agent_has_no_alerts():
    bad = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)
    up, _ = told(Roster({"web": bad}), Roster({"web": bad}))

    _, news = told(up, replace(up, agents={}))

    assert news == [("cleared", "quarantined", "agent/web")]


def test_what_matters_most_is_listed_first():
    bad = agent("bad", phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)
    near = running("near")
    both, _ = roster.step(
        Roster({"near": near, "bad": bad}),
        "near",
        events.Pressed((Sign("near-memory-limit", "x"),)),
        1.0,
    )

    up, _ = told(both, both)

    assert [a.subject for a in listed(up)] == ["agent/bad", "agent/near"]
