"""An agent on the ladder: what each event makes of it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from opmas.core import events, roster
from opmas.core.agent.lifecycle import SETTLE
from opmas.core.agent.state import Pending, deadline
from opmas.core.agent.terms import Desired, Health, Limits, Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.events import StopUnit
from opmas.core.health.report import Check, Report
from opmas.core.health.vitals import Said, Traits, Vitals
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.decided import REMEMBERED
from opmas.core.recovery.ladder import climb, load
from opmas.core.recovery.policy import Policy, Recovery
from opmas.core.roster import Roster
from tests.builders import active, agent, exited, inactive, running, spec
from tests.unit.core.story import POLICY, Story

PROBED = Vitals(traits=Traits(check=True, liveness=True), passed=True)
SICK = events.Probed(Report(Health.UNHEALTHY, "no answer"))


def gave_up(story, now=0.0, status=1):
    return story.sees(exited(status=status, at=now + 1), now=now).on(events.Tick(), now + SETTLE)


def test_a_decision_is_kept_and_told_with_its_inputs():
    story = gave_up(Story(running()))

    (decided,) = story.agent.decisions
    assert (decided.rung, decided.reason) == ("backoff", "crashed")
    assert decided.inputs["failures"] == 1
    assert decided.inputs["why_not"] == "there is none that could be undone"
    assert "Its main process exited with status 1." in decided.facts
    told = next(n for n in story.news if n.type == "opmas.agent.recovery")
    assert told.data["inputs"] == decided.inputs


def test_what_is_kept_of_a_decision_is_enough_to_make_it_again():
    policy = Policy(first_delay=7, max_delay=50, jitter=30, max_failures=9)
    story = Story(running(failures=2), policy)

    (decided,) = gave_up(story).agent.decisions

    said = {f.name: decided.inputs[f.name] for f in fields(Policy) if f.name in decided.inputs}
    again = climb("web", load(decided), Policy(**said))
    assert (str(again.rung), str(again.reason)) == (decided.rung, decided.reason)
    assert again.delay == decided.delay != climb("web", load(decided), Policy()).delay


def test_only_the_last_decisions_are_kept():
    story = Story(running(), Policy(max_failures=100))

    for turn in range(REMEMBERED + 5):
        now = turn * 1000.0
        gave_up(story.on(events.UnitSeen(active()), now), now)

    assert len(story.agent.decisions) == REMEMBERED
    assert story.agent.decisions[-1].inputs["failures"] == REMEMBERED + 5


def test_a_quarantine_has_an_event_of_its_own():
    story = gave_up(Story(running(failures=5)))

    assert story.agent.phase is Phase.QUARANTINED
    assert "opmas.agent.quarantined" in story.told


def test_a_start_alone_forgets_nothing_and_sustained_health_does():
    story = Story(running(failures=3, failing_since=1.0))

    story.on(events.Tick(), 599.0)
    early = story.agent.failures
    story.on(events.Tick(), 600.0)

    assert early == 3
    assert (story.agent.failures, story.agent.failing_since) == (0, None)
    assert story.agent.decisions[-1].rung == "release"


def test_an_agent_wakes_up_at_the_instant_at_which_its_failures_are_forgotten():
    story = Story(running(failures=3, failing_since=1.0)).on(events.Tick(), 7.1)

    at = deadline(story.agent)
    story.on(events.Tick(), at or 0.0)

    assert at == POLICY.reset_after
    assert story.agent.failures == 0
    assert deadline(story.agent) is None


def test_one_that_is_not_well_waits_for_no_release():
    story = Story(running(failures=3)).on(events.Tick(), 1.0)

    story.on(events.HealthReported(Report(Health.UNHEALTHY, "no disk")), 2.0)

    assert deadline(story.agent) is None


def test_the_statuses_of_the_policy_are_not_tried_again():
    of_two = Policy(give_up_on=(2,))

    two = gave_up(Story(running(), of_two), status=2)
    config = gave_up(Story(running(), of_two), status=78)

    assert (two.agent.phase, two.agent.reason) == (Phase.FAILED, Reason.EXIT_CONFIG)
    assert config.agent.phase is Phase.BACKOFF


def test_what_is_wanted_stopped_and_fails_is_left_alone():
    by_hand = running(spec=spec(desired=Desired.STOPPED), reason=Reason.SYSTEMCTL)

    story = gave_up(Story(by_hand))

    assert (story.agent.phase, deadline(story.agent)) == (Phase.FAILED, None)


# ---- the check of its life ----


def test_an_agent_that_fails_the_check_of_its_life_is_restarted_at_once_the_first_time():
    story = Story(running(vitals=PROBED)).on(SICK, 10.0)

    assert story.effects == [StopUnit("web")]
    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPING, Reason.UNHEALTHY)

    story.on(events.JobIssued(5), 10.1).sees(inactive(), now=10.2).on(events.Tick(), 10.2)

    assert (story.agent.phase, story.agent.failures) == (Phase.STARTING, 1)
    assert story.agent.decisions[-1].inputs["cause"] == "unhealthy"


def test_the_second_time_it_waits_as_after_any_failure():
    story = Story(running(vitals=PROBED, failures=1, failing_since=1.0)).on(SICK, 10.0)

    story.on(events.JobIssued(5), 10.1).sees(inactive(), now=10.2).on(events.Tick(), 10.2)

    assert (story.agent.phase, story.agent.reason) == (Phase.BACKOFF, Reason.UNHEALTHY)
    assert (story.agent.retry_at or 0.0) > 20.0


def test_one_that_was_told_to_stop_meanwhile_stays_down():
    story = Story(running(vitals=PROBED)).on(SICK, 10.0).on(events.Stop(), 10.1)

    story.on(events.JobIssued(5), 10.1).sees(inactive(), now=10.2).on(events.Tick(), 10.5)

    assert (story.agent.phase, story.agent.failures) == (Phase.STOPPED, 0)


@pytest.mark.parametrize(
    "subject",
    [
        running(vitals=replace(PROBED, traits=Traits(check=True))),
        running(vitals=PROBED, paused=True),
        running(vitals=PROBED, spec=spec(desired=Desired.STOPPED)),
        running(
            vitals=replace(
                PROBED,
                reported=Said(
                    Report(
                        Health.UNHEALTHY, "", (Check("s", Health.UNHEALTHY, "outside-server"),)
                    ),
                    1.0,
                ),
            )
        ),
    ],
)
def test_it_is_left_alone_without_liveness_in_a_change_or_with_an_excuse(subject):
    report = SICK.report if subject.vitals.reported is None else subject.vitals.reported.report

    story = Story(subject).on(events.Probed(report), 10.0)

    assert story.effects == []


# ---- slow probes, releases, the budget ----

SLOW = Policy(slow_probe=100, jitter=0)


def quarantined(**changes):
    given = {"phase": Phase.QUARANTINED, "reason": Reason.CRASH_LOOP, "failures": 6}
    return agent(**{**given, **changes})


def test_a_slow_probe_is_one_try_and_back_into_quarantine():
    story = gave_up(Story(running(failures=5), SLOW))
    assert story.agent.retry_at == SETTLE + 100.0

    story.on(events.Tick(), 101.0)
    tried = (story.agent.phase, story.agent.reason)
    story.starts()
    gave_up(story.on(events.UnitSeen(active()), 102.0), 103.0)

    assert tried == (Phase.STARTING, Reason.SLOW_PROBE)
    assert (story.agent.phase, story.agent.failures) == (Phase.QUARANTINED, 7)


def test_without_one_in_the_policy_a_due_probe_is_dropped():
    story = Story(quarantined(retry_at=5.0)).on(events.Tick(), 6.0)

    assert (story.agent.phase, story.agent.retry_at) == (Phase.QUARANTINED, None)


def test_a_probe_is_armed_anew_after_a_boot_and_by_another_policy():
    booted = Story(quarantined(), SLOW).on(events.Resumed(None, same_boot=False), 10.0)
    whole = Roster({"web": quarantined()}, policy=Policy(jitter=0))
    probed = replace(whole.agents["web"].spec, recovery=Recovery(slow_probe=50))

    after, _ = roster.put(whole, probed, 10.0)

    assert booted.agent.retry_at == 110.0
    assert after.agents["web"].phase is Phase.QUARANTINED
    assert after.agents["web"].retry_at == 60.0


def test_an_admins_stop_of_a_quarantined_agent_ends_its_probes():
    story = Story(quarantined(retry_at=100.0, unit=inactive()), SLOW)

    story.on(events.JobEnded(9, "done"), 5.0)

    assert (story.agent.phase, story.agent.held) == (Phase.QUARANTINED, True)
    assert deadline(story.agent) is None


@pytest.mark.parametrize(
    "changes",
    [{"config": {"n": 2}}, {"version": "2"}, {"limits": Limits(tasks_max=9)}, {"grants": ("a",)}],
)
def test_what_is_another_now_is_released(changes):
    whole = Roster({"web": quarantined()})

    after, _ = roster.put(whole, replace(whole.agents["web"].spec, **changes), 10.0)

    back = after.agents["web"]
    assert (back.pending, back.reason, back.failures) == (Pending.QUEUED, Reason.CHANGE, 0)


@pytest.mark.parametrize("changes", [{"after": ("db",)}, {"recovery": Recovery(jitter=1)}])
def test_an_order_and_a_policy_release_nothing(changes):
    whole = Roster({"web": quarantined()})

    after, _ = roster.put(whole, replace(whole.agents["web"].spec, **changes), 10.0)

    assert after.agents["web"].phase is Phase.QUARANTINED


def due(name, **changes):
    given = {"phase": Phase.BACKOFF, "reason": Reason.CRASHED, "failures": 1, "retry_at": 5.0}
    return agent(name, **{**given, **changes})


def test_beyond_the_budget_an_agent_gets_its_place_once():
    whole = Roster({n: due(n) for n in ("a", "b")}, budget=Budget(1, 60.0))

    for name in ("a", "b"):
        whole, _ = roster.step(whole, name, events.Tick(), 6.0)
    waits = whole.agents["b"]
    later, _ = roster.step(whole, "b", events.Tick(), 7.0)

    assert whole.agents["a"].pending is Pending.QUEUED
    assert (waits.reason, waits.retry_at) == (Reason.BUDGET, 7.0)
    assert waits.decisions[-1].reason == "restart-budget"
    assert waits.decisions[-1].inputs == {
        "failures": waits.failures, "host_burst": 1, "host_per_minute": 60.0,
    }  # fmt: skip
    assert later.agents["b"].pending is Pending.QUEUED
    assert later.budget == whole.budget


def test_what_did_not_fail_needs_no_place():
    away = due("a", failures=0, reason=Reason.UNIT_ERROR)
    whole = Roster({"a": away}, budget=Budget(1, 1.0).taken(6.0))

    after, _ = roster.step(whole, "a", events.Tick(), 6.0)

    assert after.agents["a"].pending is Pending.QUEUED
    assert after.budget == whole.budget


def test_a_probe_that_finds_no_budget_waits_for_its_next_time():
    whole = Roster({"web": quarantined(retry_at=5.0)}, policy=SLOW)
    whole = replace(whole, budget=Budget(1, 1.0).taken(6.0))

    after, _ = roster.step(whole, "web", events.Tick(), 6.0)

    assert after.agents["web"].retry_at == 106.0
    assert after.budget == whole.budget


def test_a_victim_of_a_dependency_asks_for_that_one_to_be_restarted():
    sick = Vitals(reported=Said(Report(Health.UNHEALTHY), 0.0))
    db = running("db", spec=spec("db", package="db"), vitals=sick)
    ties = {("nap", ""): Ties(requires=("db",))}
    whole = Roster({"web": running(since=10.0), "db": db}, ties=ties)

    for event, now in ((events.UnitSeen(exited()), 20.0), (events.Tick(), 20.0 + SETTLE)):
        whole, _ = roster.step(whole, "web", event, now)

    web = whole.agents["web"]
    assert (web.phase, web.reason) == (Phase.BACKOFF, Reason.DEPENDENCY_RESTART)
    assert web.remedy is not None
    assert "db" in web.message


def test_one_restarted_for_anothers_sake_comes_up_again_and_forgets_nothing():
    story = Story(running(failures=2)).on(events.Renew("web fails"), 10.0)

    story.on(events.JobIssued(5), 10.1).sees(inactive(), now=10.2)

    assert (story.agent.phase, story.agent.reason) == (
        Phase.STARTING, Reason.DEPENDENCY_RESTART,
    )  # fmt: skip
    assert story.agent.failures == 2
    assert Story(agent()).on(events.Renew("x")).effects == []


def test_a_start_with_systemctl_ends_a_hold_and_a_quarantine():
    held = agent(phase=Phase.STOPPED, reason=Reason.HELD, held=True)

    up = Story(held).sees(active())
    free = Story(quarantined()).sees(active())

    assert not up.agent.held
    assert (free.agent.phase, free.agent.failures) == (Phase.RUNNING, 0)
