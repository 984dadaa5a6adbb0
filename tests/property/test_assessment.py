"""Whatever is learned of an agent, and in whatever order: what its health promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from opmas.core import events
from opmas.core.agent.state import deadline, health
from opmas.core.agent.terms import Health
from opmas.core.health.assessment import STALE, WINDOW, assess
from opmas.core.health.report import RANK, Check, Report
from opmas.core.health.vitals import Sign
from opmas.core.roster import Roster, step
from tests.builders import active, auto_restart, inactive, killed, running

if TYPE_CHECKING:
    from opmas.core.events import Event

reports = st.builds(
    Report,
    st.sampled_from(list(Health)),
    st.sampled_from(["", "so so"]),
    st.lists(
        st.builds(Check, st.sampled_from(["a", "a/b"]), st.sampled_from(list(Health))), max_size=2
    ).map(tuple),
)
happenings: st.SearchStrategy[Event] = st.one_of(
    reports.map(events.HealthReported),
    reports.map(events.Probed),
    st.booleans().map(events.Linked),
    st.sampled_from([(), (Sign("memory-high"),)]).map(events.Pressed),
    st.sampled_from([active(), auto_restart(), inactive()]).map(events.UnitSeen),
    st.floats(1, 9).map(lambda at: events.UnitSeen(killed(at=at))),
    st.just(events.Tick()),
)
courses = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 1.0, STALE - 1, STALE, WINDOW]), happenings), max_size=30
)


@given(courses)
def test_health_rests_on_the_facts_that_it_names(told):
    agents, now = Roster(agents={"web": running()}), 0.0
    for later, event in told:
        now += later
        agents, _ = step(agents, "web", event, now)
        agent = agents.agents["web"]
        found = assess(agent, now)

        assert found == agent.assessment == assess(agent, now)
        assert found.status is health(agent).status
        assert all(fact.at is None or fact.at <= now for fact in found.facts)
        if agent.damping.status is not None:
            assert RANK[found.status] >= max(RANK[f.status] for f in found.facts)
            assert any(f.status is found.status for f in found.facts)


@given(courses)
def test_well_is_one_that_runs_and_is_not_unhealthy(told):
    agents, now = Roster(agents={"web": running()}), 0.0
    for later, event in told:
        now += later
        agents, _ = step(agents, "web", event, now)
        agent = agents.agents["web"]
        well = str(agent.phase) in {"running", "reloading"}
        well = well and health(agent).status is not Health.UNHEALTHY

        assert (agent.well_since is not None) is well
        assert agent.well_since is None or agent.well_since <= now


@given(courses)
def test_time_alone_changes_health_only_at_a_deadline(told):
    agents, now = Roster(agents={"web": running()}), 0.0
    for later, event in told:
        now += later
        agents, _ = step(agents, "web", event, now)
    agent = agents.agents["web"]
    due = deadline(agent)
    until = now + 2 * WINDOW if due is None else max(now, due - 0.01)

    assert assess(agent, until).status is health(agent).status
