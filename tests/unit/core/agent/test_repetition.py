"""A look that shows what is known: it costs nothing, and hides nothing that time brings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core import events, roster
from opmas.core.agent.repetition import is_repetition
from opmas.core.agent.terms import Health, Phase
from opmas.core.events import HealthReported, UnitSeen
from opmas.core.health.report import Report
from opmas.core.recovery.policy import Policy
from opmas.core.roster import Roster
from tests.builders import active, running, stopped


def at_rest() -> Roster:
    """A host whose agent "web" runs, was seen to, and says that it is well."""
    host = Roster({"web": running("web")}, policy=Policy(reset_after=100.0))
    host, _ = roster.step(host, "web", UnitSeen(active("web")), 0.0)
    host, _ = roster.step(host, "web", HealthReported(Report(Health.HEALTHY)), 1.0)
    return host


def look(host: Roster, now: float) -> Roster:
    """Return the host after a look that shows its unit as it is known."""
    host, effects = roster.step(host, "web", UnitSeen(host.get("web").unit), now)
    assert effects == ()
    return host


def test_a_look_that_shows_a_running_agent_as_it_is_known_leaves_the_very_roster():
    host = at_rest()

    assert look(host, 50.0) is host


def test_so_does_one_at_an_agent_that_is_down_and_not_loaded():
    host = Roster({"web": stopped("web")})
    host, _ = roster.step(host, "web", UnitSeen(None), 0.0)

    assert look(host, 50.0) is host


def test_anything_new_of_the_unit_is_taken():
    host = at_rest()
    new = active("web", status_text="busy")

    after, _ = roster.step(host, "web", UnitSeen(new), 50.0)

    assert after.get("web").unit == new


def test_failures_are_still_forgotten_by_a_look_when_their_time_is_over():
    host = at_rest()
    host = replace(host, agents={"web": replace(host.get("web"), failures=2)})

    host, _ = roster.step(host, "web", UnitSeen(host.get("web").unit), 200.0)

    assert host.get("web").failures == 0


@pytest.mark.parametrize(
    "change",
    [
        {"settle_at": 60.0},
        {"paused": True},
        {"let_down": True},
        {"held": True},
        {"foreign_job": True},
        {"jobs": frozenset({7})},
        {"message": "refused"},
        {"retry_at": 60.0},
        {"assessment": None},
        {"phase": Phase.STARTING},
    ],
)
def test_an_agent_that_is_not_at_rest_is_looked_at_in_full(change):
    agent = replace(at_rest().get("web"), **change)

    assert not is_repetition(agent, UnitSeen(agent.unit))


def test_only_a_look_is_a_repetition():
    agent = at_rest().get("web")

    assert not is_repetition(agent, events.Tick())
    assert not is_repetition(agent, events.Resumed(agent.unit, same_boot=True))
