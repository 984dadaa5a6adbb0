"""Who waits for whom, and says so."""

from __future__ import annotations

from dataclasses import replace

from opmas.core import events, roster
from opmas.core.agent.lifecycle import SETTLE
from opmas.core.agent.state import Pending
from opmas.core.agent.terms import Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.events import Announce
from opmas.core.roster import Roster
from tests.builders import active, deactivating, inactive, running, spec, stopped

TIES = {("web", ""): Ties(requires=("db",))}


def pair(db=None) -> Roster:
    web = running("web", spec=spec("web", package="web"))
    return Roster({"db": db or running("db"), "web": web}, ties=TIES)


def seen(agents: Roster, name: str, *units: object, now: float = 10.0) -> Roster:
    for unit in units:
        agents, _ = roster.step(agents, name, events.UnitSeen(unit), now)  # type: ignore[arg-type]
    return roster.tie(agents, now)[0]


def went_with_db() -> Roster:
    """systemctl stopped db, and systemd web before it."""
    agents = seen(pair(), "db", deactivating("db"))
    agents = seen(agents, "web", deactivating("web"), inactive("web"))
    agents, _ = roster.step(agents, "web", events.Tick(), 10.0 + SETTLE)
    return roster.tie(agents, 10.0 + SETTLE)[0]


def test_an_agent_that_was_taken_down_says_for_whom_it_waits():
    agents = went_with_db()

    web = agents.agents["web"]
    assert (web.phase, web.reason) == (Phase.STOPPED, Reason.DEPENDENCY)
    assert web.message == 'agent "db" is stopping'


def test_who_is_stopped_before_the_one_that_goes_down_is_let_down_by_that_one():
    agents = seen(pair(), "db", active("db", job_id=51))

    agents = seen(agents, "web", deactivating("web", job_id=50))

    web = agents.agents["web"]
    assert (web.phase, web.reason) == (Phase.STOPPING, Reason.DEPENDENCY)


def test_it_is_said_as_soon_as_the_other_one_is_seen_to_go_down():
    agents = seen(pair(), "web", deactivating("web", job_id=50))
    by_hand = agents.agents["web"].reason

    agents, told = roster.step(agents, "db", events.UnitSeen(deactivating("db", job_id=51)), 10.1)

    assert by_hand is Reason.SYSTEMCTL
    assert agents.agents["web"].reason is Reason.DEPENDENCY
    news = {"from": "stopping", "to": "stopping", "reason": "dependency-down"}
    assert Announce("opmas.agent.phase", "agent/web", news) in told


def test_one_that_waits_for_another_slow_one_to_stop_lets_down_who_is_down_already():
    agents = seen(pair(), "db", active("db", job_id=51))
    agents = seen(agents, "web", deactivating("web", job_id=50), inactive("web"))
    agents, _ = roster.step(agents, "web", events.JobEnded(50, "done"), 10.0)
    agents, _ = roster.step(agents, "web", events.Tick(), 10.0 + SETTLE)

    web = agents.agents["web"]
    assert (web.phase, web.reason, web.held) == (Phase.STOPPED, Reason.DEPENDENCY, False)


def test_who_is_stopped_by_hand_is_held_while_what_it_requires_runs():
    agents = seen(pair(), "web", deactivating("web", job_id=50), inactive("web"))
    agents, _ = roster.step(agents, "web", events.JobEnded(50, "done"), 10.0)
    agents, _ = roster.step(agents, "web", events.Tick(), 10.0 + SETTLE)

    web = agents.agents["web"]
    assert (web.phase, web.reason, web.held) == (Phase.STOPPED, Reason.HELD, True)


def test_what_it_says_follows_the_one_that_it_waits_for():
    agents = went_with_db()

    db = replace(agents.agents["db"], phase=Phase.FAILED)
    agents, _ = roster.tie(replace(agents, agents={**agents.agents, "db": db}), 11.0)

    assert agents.agents["web"].message == 'agent "db" is failed'


def test_nothing_is_done_again_and_again_for_one_that_waits():
    agents = went_with_db()

    assert roster.tie(agents, 12.0) == (agents, ())


def test_it_is_queued_when_what_it_requires_runs():
    agents = seen(went_with_db(), "db", active("db"), now=20.0)

    assert agents.agents["web"].pending is Pending.QUEUED
    assert agents.agents["web"].message == ""


def test_one_that_is_stopped_by_wish_waits_for_nobody():
    agents = pair(stopped("db"))
    agents = replace(agents, agents={**agents.agents, "web": stopped("web")})

    assert roster.tie(agents, 1.0) == (agents, ())
