"""How an agent does, fact by fact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core import events
from opmas.core.agent.moves import enter
from opmas.core.agent.state import Agent, deadline, health
from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.health.assessment import (
    RESTARTS,
    STALE,
    UP,
    WINDOW,
    Assessment,
    Fact,
    assess,
    judged,
    learned,
    not_alive,
)
from opmas.core.health.recall import dump_health, unheard, with_health
from opmas.core.health.report import Check, Report
from opmas.core.health.vitals import Advance, Lack, Sign, Traits, Vitals
from opmas.core.roster import Roster, step
from tests.builders import active, agent, killed, running, unit

CHECKED = Traits(check=True)
LIVE = Traits(check=True, liveness=True)
BAD = Report(Health.UNHEALTHY, "no database")
WELL = Report(Health.HEALTHY)


def told(subject: Agent, *news: events.Event, at: float = 10.0) -> Agent:
    for event in news:
        subject = judged(subject, learned(subject, event, at), at)  # type: ignore[arg-type]
    return subject


def fact(assessment: Assessment, name: str) -> Fact:
    return next(each for each in assessment.facts if each.name == name)


def exits(*instants: float) -> Agent:
    return running(vitals=Vitals(exits=instants))


def test_an_agent_that_runs_and_of_which_nothing_bad_is_known_is_healthy():
    assessment = assess(running(), 5.0)

    assert (assessment.status, assessment.ready, assessment.alive) == (Health.HEALTHY, True, True)
    assert fact(assessment, "unit").message == "active (running)"
    assert fact(assessment, "readiness").code == "ready"


@pytest.mark.parametrize("phase", sorted(set(Phase) - UP))
def test_of_one_that_does_not_run_nothing_is_known(phase):
    assessment = assess(agent(phase=phase), 5.0)

    assert assessment.status is Health.UNKNOWN
    assert not assessment.ready
    assert not assessment.alive
    assert assessment.facts


def test_one_that_starts_lives_and_is_not_ready():
    starting = agent(phase=Phase.STARTING, unit=unit("activating", "start", main_pid=7))

    assessment = assess(starting, 5.0)

    assert assessment.alive
    assert not assessment.ready


def test_what_an_agent_says_of_itself_is_its_health():
    checks = (Check("db", Health.UNHEALTHY, "away", "is away"), Check("db/pool", Health.UNKNOWN))

    subject = told(running(), events.HealthReported(Report(Health.UNHEALTHY, "bad", checks)))

    assessment = assess(subject, 11.0)
    assert assessment.status is Health.UNHEALTHY
    assert assessment.message == "bad"
    assert fact(assessment, "report").at == 10.0
    assert fact(assessment, "report/db") == Fact(
        "report/db", Health.UNHEALTHY, "away", "is away", "agent", 10.0
    )
    assert fact(assessment, "report/db/pool").status is Health.UNKNOWN
    assert health(subject).checks == checks


def test_without_words_of_its_own_its_checks_speak():
    checks = (Check("db", Health.DEGRADED, "slow", "is slow"),)

    subject = told(running(), events.HealthReported(Report(Health.DEGRADED, "", checks)))

    assert health(subject).message == "is slow"


def test_a_report_is_believed_while_the_agent_is_connected_however_old_it_is():
    subject = told(running(), events.Linked(connected=True), events.HealthReported(BAD))

    assert assess(subject, 10_000.0).status is Health.UNHEALTHY
    assert deadline(subject) is None


def test_a_report_of_one_that_is_not_heard_any_more_becomes_unknown_and_never_bad():
    subject = told(running(), events.HealthReported(WELL), events.Linked(connected=False))

    assert deadline(subject) == 10.0 + STALE
    assert assess(subject, 10.0 + STALE - 0.1).status is Health.HEALTHY
    stale = assess(subject, 10.0 + STALE)
    assert stale.status is Health.UNKNOWN
    assert fact(stale, "report").code == "stale"
    assert fact(stale, "report").at == 10.0
    assert "said healthy" in stale.message


def test_a_bad_report_gets_stale_too():
    subject = told(running(), events.HealthReported(BAD), events.Linked(connected=False))

    assert assess(subject, 10.0 + STALE).status is Health.UNKNOWN


def test_losing_the_manager_says_nothing_of_one_that_never_spoke():
    subject = told(running(), events.Linked(connected=False))

    assert assess(subject, 10_000.0).status is Health.HEALTHY


def test_a_checked_agent_is_unknown_and_not_ready_until_its_first_success():
    subject = running(vitals=Vitals(traits=CHECKED))

    first = assess(subject, 5.0)
    failed = assess(told(subject, events.Probed(Report(Health.DEGRADED, "once"))), 11.0)
    passed = assess(told(subject, events.Probed(WELL)), 11.0)

    assert (first.status, first.ready) == (Health.UNKNOWN, False)
    assert (failed.status, failed.ready) == (Health.DEGRADED, False)
    assert (passed.status, passed.ready) == (Health.HEALTHY, True)
    assert fact(first, "probe").code == "no-result"
    assert fact(passed, "probe").code == "check-passed"


def test_one_that_was_ready_stays_so_while_it_is_only_degraded():
    subject = told(running(vitals=Vitals(traits=CHECKED)), events.Probed(WELL))

    degraded = assess(told(subject, events.Probed(Report(Health.DEGRADED))), 11.0)
    bad = assess(told(subject, events.Probed(BAD)), 11.0)

    assert degraded.ready
    assert not bad.ready


def test_only_a_check_of_its_life_says_that_one_does_not_live():
    ready = told(running(vitals=Vitals(traits=CHECKED)), events.Probed(BAD))
    live = told(running(vitals=Vitals(traits=LIVE)), events.Probed(BAD))
    below = told(running(vitals=Vitals(traits=LIVE)), events.Probed(Report(Health.DEGRADED)))

    assert not not_alive(ready)
    assert not_alive(live)
    assert not not_alive(below)
    assert assess(ready, 11.0).alive
    assert not assess(live, 11.0).alive


def test_what_is_close_to_its_limits_is_degraded_and_says_so():
    sign = Sign("memory-near-limit", "it uses 97 % of its memory")

    assessment = assess(told(running(), events.Pressed((sign,))), 11.0)

    assert assessment.status is Health.DEGRADED
    assert assessment.message == sign.message
    assert fact(assessment, "pressure/memory-near-limit").at == 10.0


def test_one_whose_dependency_is_down_is_degraded():
    lack = Lack("db", 'agent "db" is unhealthy', 4.0)

    assessment = assess(running(vitals=Vitals(lacks=(lack,))), 11.0)

    assert assessment.status is Health.DEGRADED
    assert fact(assessment, "dependency/db").code == "dependency-down"


def test_one_that_ends_by_itself_again_and_again_is_degraded_for_a_while():
    often = exits(*(float(at) for at in range(1, RESTARTS + 1)))
    subject = judged(often, often, 5.0)

    assert assess(exits(1.0), 5.0).status is Health.HEALTHY
    assert assess(subject, 5.0).status is Health.DEGRADED
    assert deadline(subject) == 1.0 + WINDOW
    assert assess(subject, 1.0 + WINDOW).status is Health.HEALTHY


def test_an_exit_is_noted_once():
    before = running()
    after = replace(before, last_exit=killed(result="watchdog"))

    noted = judged(before, after, 20.0)
    again = judged(noted, noted, 21.0)

    assert noted.vitals.exits == again.vitals.exits == (20.0,)
    assert noted.vitals.hung_at == 20.0
    assert fact(assess(noted, 22.0), "watchdog").code == "ran-out"


def test_progress_and_the_watchdog_are_facts():
    vitals = Vitals(advance=Advance(7, 9.0), traits=Traits(watchdog=10))

    assessment = assess(running(vitals=vitals), 11.0)

    assert fact(assessment, "progress").message == "7 steps in this run"
    assert fact(assessment, "progress").at == 9.0
    assert fact(assessment, "watchdog").message == "fed at least every 10 s"


def test_the_worst_facts_decide_and_are_named():
    sign = Sign("memory-near-limit", "it uses 97 % of its memory")

    subject = told(running(), events.Pressed((sign,)), events.HealthReported(BAD))

    assert health(subject) == Report(Health.UNHEALTHY, "no database")


def test_flapping_is_said_and_ends_by_itself():
    subject, now = running(), 10.0
    for _ in range(3):
        subject = told(subject, events.HealthReported(BAD), at=now)
        subject = told(subject, events.HealthReported(WELL), at=now + 1)
        now += 2

    assessment = assess(subject, now)
    assert assessment.status is Health.UNHEALTHY
    assert assessment.message.startswith("flapping: it is healthy now")
    due = deadline(subject)
    assert due is not None
    calm = judged(subject, subject, due)
    assert health(calm).status is Health.HEALTHY
    assert deadline(calm) is None


def test_one_that_flaps_is_said_to_be_what_it_is_now():
    subject, now = running(), 10.0
    for _ in range(3):
        subject = told(subject, events.HealthReported(BAD), at=now)
        subject = told(subject, events.HealthReported(WELL), at=now + 1)
        now += 2
    worse = told(subject, events.HealthReported(Report(Health.DEGRADED)), at=now)
    well = told(worse, events.HealthReported(WELL), at=now + 1)

    assert "it is degraded now" in assess(worse, now).message
    assert "it is healthy now" in assess(well, now + 1).message


def test_well_since_is_when_it_came_up_or_got_well():
    subject = running(since=3.0)
    assert subject.well_since == 3.0

    bad = told(subject, events.HealthReported(BAD))
    degraded = told(bad, events.HealthReported(Report(Health.DEGRADED)), at=12.0)
    still = told(degraded, events.HealthReported(WELL), at=14.0)
    down = enter(still, Phase.STOPPED, Reason.REQUESTED, 15.0)

    assert bad.well_since is None
    assert degraded.well_since == 12.0
    assert still.well_since == 12.0
    assert judged(still, down, 15.0).well_since is None


def test_a_checked_agent_is_well_from_its_first_success():
    subject = running(vitals=Vitals(traits=CHECKED))
    assert subject.well_since is None

    assert told(subject, events.Probed(WELL)).well_since == 10.0


def test_a_new_run_has_said_nothing_yet():
    vitals = Vitals(traits=CHECKED, advance=Advance(3, 1.0), exits=(1.0,))
    subject = told(running(vitals=vitals), events.HealthReported(BAD), events.Probed(WELL))

    fresh = enter(subject, Phase.STARTING, Reason.AUTO_RESTART, 20.0)

    assert fresh.vitals == Vitals(traits=CHECKED, exits=(1.0,))


def test_health_is_the_same_after_a_restart_of_the_manager():
    subject = told(running(), events.HealthReported(BAD), events.Probed(WELL))

    saved = dump_health(subject)
    again = unheard(with_health(running(), saved), 50.0)
    again = judged(again, again, 50.0)

    assert health(again).status is Health.UNHEALTHY
    assert health(again).message == "as it said before the manager began"
    assert again.vitals.passed
    assert dump_health(again) == saved
    assert assess(again, 50.0 + STALE).status is Health.UNKNOWN


def test_one_that_is_connected_already_is_heard():
    subject = told(running(), events.Linked(connected=True))

    assert unheard(subject, 50.0) is subject


def test_what_older_versions_saved_says_nothing_of_health():
    assert with_health(running(), None) == running()


def test_the_same_facts_give_the_same_answer():
    one = told(running(unit=active(status_text="x")), events.HealthReported(BAD))
    other = told(running(unit=active(status_text="x")), events.HealthReported(BAD))

    assert assess(one, 12.0) == assess(other, 12.0)


def test_a_failed_check_of_its_life_is_told_once_before_the_stop_that_follows():
    ties = {("nap", ""): Ties(traits=LIVE)}
    agents = Roster(agents={"web": running(vitals=Vitals(traits=LIVE, passed=True))}, ties=ties)

    agents, effects = step(agents, "web", events.Probed(BAD), 9.0)

    told = [e.type for e in effects if isinstance(e, events.Announce)]
    assert told == ["opmas.agent.health", "opmas.agent.phase"]
    assert agents.agents["web"].phase is Phase.STOPPING
    assert agents.agents["web"].reason is Reason.UNHEALTHY
