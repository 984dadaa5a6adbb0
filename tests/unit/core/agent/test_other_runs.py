"""Runs that nobody saw begin, stops that are asked for twice: what still holds of before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from opmas.core import events, roster
from opmas.core.agent.condition import dump_condition, load_condition
from opmas.core.agent.state import Pending
from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.health.report import Report
from opmas.core.health.vitals import Sign, Traits
from opmas.core.recovery.alerts import follow
from opmas.core.roster import Roster
from tests.builders import active, agent, exited, inactive, running, spec
from tests.unit.core.story import Story

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent

PASSED, FAILED = Report(Health.HEALTHY), Report(Health.UNHEALTHY, "it failed")
LIVENESS = {("nap", ""): Ties(traits=Traits(check=True, liveness=True))}
NEAR = (Sign("near-memory-limit", "it needs 95 % of its memory_max"),)


def story(**changes) -> Story:
    return Story(running(unit=None, **changes)).sees(active(invocation_id="one"))


def again(subject: Agent) -> Agent:
    """The agent as another manager loads it."""
    return load_condition(subject.spec, dump_condition(subject))


def test_what_another_run_said_is_not_this_ones() -> None:
    tale = story().on(events.Probed(PASSED)).on(events.HealthReported(FAILED))

    same = tale.sees(active(invocation_id="one"), now=1.0).agent.vitals
    another = tale.sees(active(invocation_id="two"), now=2.0).agent.vitals

    assert same.reported is not None
    assert (another.reported, another.probed, another.passed) == (None, None, False)
    assert tale.agent.since == 2.0


@pytest.mark.parametrize(("invocation", "known"), [("one", True), ("two", False)])
def test_a_manager_that_begins_believes_what_was_said_in_the_same_run(invocation, known) -> None:
    tale = Story(again(story().on(events.Probed(FAILED)).agent))

    tale.on(events.Resumed(active(invocation_id=invocation), same_boot=True), 5.0)

    assert (tale.agent.vitals.probed is not None) is known


def test_a_restart_that_nobody_saw_is_a_break_of_its_health() -> None:
    tale = story(failures=5, failing_since=1.0)

    tale.sees(active(invocation_id="two"), now=590.0).sees(active(invocation_id="two"), now=700.0)
    assert tale.agent.failures == 5

    tale.sees(active(invocation_id="two"), now=1190.0)
    assert tale.agent.failures == 0


def unhealthy() -> Roster:
    """A host whose agent failed the check of its life, and is being stopped for that."""
    host = Roster({"web": running()}, ties=LIVENESS)
    host, _ = roster.step(host, "web", events.Probed(FAILED), 1.0)
    assert host.agents["web"].reason is Reason.UNHEALTHY
    return host


def down(host: Roster, now: float) -> Agent:
    host, _ = roster.step(host, "web", events.UnitSeen(inactive()), now)
    for name in roster.due(host, now):
        host, _ = roster.step(host, name, events.Tick(), now)
    return host.agents["web"]


def test_a_stop_for_its_health_that_is_asked_for_again_is_still_one() -> None:
    host, _ = roster.step(unhealthy(), "web", events.UnitSeen(active()), 1.1)

    host, effects = roster.step(host, "web", events.Tick(), 9.0)

    assert events.StopUnit("web") in effects
    assert down(host, 10.0).failures == 1


def test_a_stop_for_its_health_outlives_the_manager() -> None:
    host = unhealthy()
    host = replace(host, agents={"web": again(host.agents["web"])})

    host, _ = roster.step(host, "web", events.Resumed(active(), same_boot=True), 2.0)

    assert host.agents["web"].pending is Pending.STOP
    assert down(host, 3.0).failures == 1


def test_a_clock_that_is_set_back_makes_no_dependency_one_that_came_later() -> None:
    web = running("web", since=100.0, unit=active("web", active_enter_at=1e9 + 100))
    of_db = spec("db", package="db")
    db = running("db", spec=of_db, since=50.0, unit=active("db", active_enter_at=1e9 + 50))
    ties = {("nap", ""): Ties(requires=("db",))}
    host = Roster({"web": web, "db": db}, ties=ties, utc_offset=1e9 - 3600)

    for event in (events.UnitSeen(inactive("web", job_id=9)), events.JobEnded(9, "done")):
        host, _ = roster.step(host, "web", event, 200.0)
    host, _ = roster.step(host, "web", events.Tick(), 201.0)

    assert host.agents["web"].held


def resumed(subject: Agent, unit, *, same_boot: bool) -> tuple[Roster, list[str]]:
    """What a new manager tells of alerts when it sees the agent for the first time."""
    before = Roster({"web": again(subject)})
    after, _ = roster.step(before, "web", events.Resumed(unit, same_boot=same_boot), 5.0)
    after, news = follow(before, after, 5.0)
    return after, [n.type for n in news]


def test_an_alert_that_goes_on_is_not_raised_by_the_next_manager_once_more() -> None:
    near = story().on(events.Pressed(NEAR)).agent

    host, news = resumed(near, active(invocation_id="one"), same_boot=True)
    after, _ = roster.step(host, "web", events.Pressed(NEAR), 6.0)

    assert news == []
    assert list(host.alerts or ()) == ["near-memory-limit:agent/web"]
    assert follow(host, after, 6.0)[1] == ()


def test_an_alert_that_is_over_with_a_boot_is_cleared() -> None:
    failed = agent(phase=Phase.FAILED, reason=Reason.CRASHED, unit=exited())

    assert resumed(failed, None, same_boot=False)[1] == ["opmas.alert.cleared"]
    assert resumed(failed, exited(), same_boot=True)[1] == []
