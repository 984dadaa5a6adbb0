"""What goes into the history."""

from __future__ import annotations

from dataclasses import replace

from opmas.core import events, roster
from opmas.core.agent.terms import Health
from opmas.core.health.report import Report
from opmas.core.roster import Roster
from opmas.manager.state.states import rows_of
from tests.builders import auto_restart, running

HOST = Roster(agents={"web": running()})
WELL = events.HealthReported(Report(Health.HEALTHY))
BAD = events.HealthReported(Report(Health.UNHEALTHY, "no disk"))


def rows(before: Roster, after: Roster, *, whole: bool = False) -> list[tuple[str, str, str]]:
    found = rows_of(before, after, "now", whole=whole)
    return [(row.phase, row.health, row.message) for row in found]


def test_a_new_agent_begins_its_history():
    assert rows(Roster(), HOST) == [("running", "healthy", "")]


def test_a_report_that_changes_nothing_is_no_history():
    after, _ = roster.step(HOST, "web", WELL, 5.0)

    assert rows(HOST, after) == []


def test_a_change_of_health_is():
    after, _ = roster.step(HOST, "web", BAD, 5.0)

    assert rows(HOST, after) == [("running", "unhealthy", "no disk")]


def test_a_change_of_phase_is():
    after, _ = roster.step(HOST, "web", events.UnitSeen(auto_restart()), 5.0)

    assert rows(HOST, after) == [("starting", "unknown", "")]


def test_a_run_that_is_another_one_is():
    other = replace(HOST, agents={"web": running(since=9.0)})

    assert rows(HOST, other) == [("running", "healthy", "")]


def test_all_of_it_is_when_all_is_saved():
    assert rows(HOST, HOST, whole=True) == [("running", "healthy", "")]
