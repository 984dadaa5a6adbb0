"""All agents together: turns, order, and what a new specification changes."""

from __future__ import annotations

import pytest

from opmas.core import events, roster
from opmas.core.agent.state import Pending
from opmas.core.agent.terms import Desired, Limits, Phase, Reason
from opmas.core.events import Announce, ApplyLimits, Prepare, SendConfig, StopUnit
from opmas.core.roster import Roster
from opmas.errors import AgentExistsError, InvalidError, TransitionError, UnknownAgentError
from tests.builders import active, agent, running, spec, stopped


def of(*agents, **changes) -> Roster:
    return Roster({a.name: a for a in agents}, **changes)


def queued(name, **changes):
    return agent(name, spec=spec(name, **changes), phase=Phase.STARTING, pending=Pending.QUEUED)


def take_turns(agents: Roster) -> tuple[Roster, list[str]]:
    names = list(roster.turns(agents))
    for name in names:
        agents, _ = roster.step(agents, name, events.Turn("digest"), 0.0)
    return agents, names


def test_starts_go_a_few_at_a_time():
    agents = of(queued("a"), queued("b"), queued("c"), concurrency=2)

    agents, first = take_turns(agents)
    assert first == ["a", "b"]
    assert roster.turns(agents) == ()
    agents, _ = roster.step(agents, "a", events.UnitSeen(active("a")), 0.0)

    assert roster.turns(agents) == ("c",)


def test_an_agent_starts_after_those_that_it_names():
    agents = of(queued("a", after=("b",)), queued("b"))

    agents, first = take_turns(agents)
    assert first == ["b"]
    agents, _ = roster.step(agents, "b", events.UnitSeen(active("b")), 0.0)

    assert roster.turns(agents) == ("a",)


@pytest.mark.parametrize(
    "other",
    [
        stopped("b"),
        agent("b", phase=Phase.FAILED),
        agent("b", phase=Phase.BACKOFF, retry_at=9.0),
        agent("b", phase=Phase.STARTING, reason=Reason.AUTO_RESTART),
        running("b"),
    ],
)
def test_an_agent_does_not_wait_for_one_that_is_not_on_the_way_up(other):
    agents = of(queued("a", after=("b",)), other)

    assert roster.turns(agents) == ("a",)


def test_an_agent_does_not_wait_for_one_that_does_not_exist():
    assert roster.turns(of(queued("a", after=("nobody",)))) == ("a",)


def test_a_circle_is_refused_with_its_path_and_changes_nothing():
    agents = of(
        running("a", spec=spec("a", after=("b",))), running("b", spec=spec("b", after=("c",)))
    )

    with pytest.raises(InvalidError) as caught:
        roster.put(agents, spec("c", after=("a",)), 0.0)

    path = caught.value.message.split(": ")[-1].split(" -> ")
    assert path[0] == path[-1]
    assert set(path) == {"a", "b", "c"}


def test_a_new_agent_is_prepared_and_queued():
    agents, effects = roster.put(of(), spec("a"), 3.0)

    assert agents.get("a").pending is Pending.QUEUED
    assert Prepare("a") in effects
    assert [e.type for e in effects if isinstance(e, Announce)] == [
        "opmas.agent.created",
        "opmas.agent.phase",
    ]


def test_a_new_agent_that_is_wanted_stopped_is_only_registered():
    agents, effects = roster.put(of(), spec("a", desired=Desired.STOPPED), 3.0)

    assert agents.get("a").phase is Phase.REGISTERED
    assert Prepare("a") in effects


def test_create_only_refuses_a_name_that_is_taken():
    with pytest.raises(AgentExistsError, match="opmas agent update a"):
        roster.put(of(running("a")), spec("a"), 0.0, create_only=True)


def test_the_same_specification_again_does_nothing():
    before = of(running("a"))

    after, effects = roster.put(before, spec("a"), 9.0)

    assert (after, effects) == (before, ())


def test_config_and_limits_go_to_the_running_agent():
    changed = spec("a", config={"x": 1}, limits=Limits(tasks_max=5))

    agents, effects = roster.put(of(running("a")), changed, 9.0)

    assert agents.get("a").phase is Phase.RUNNING
    assert [type(e) for e in effects] == [Announce, Prepare, SendConfig, ApplyLimits]


def test_a_specification_that_wants_it_stopped_stops_it():
    agents, effects = roster.put(of(running("a")), spec("a", desired=Desired.STOPPED), 9.0)

    assert agents.get("a").phase is Phase.STOPPING
    assert StopUnit("a") in effects


def test_an_agent_that_is_being_removed_is_not_changed():
    agents, _ = roster.step(of(running("a")), "a", events.Remove(), 0.0)

    with pytest.raises(TransitionError, match="being removed"):
        roster.put(agents, spec("a", config={"x": 1}), 0.0)


def test_the_next_deadline_is_the_earliest_of_all():
    agents = of(agent("a", settle_at=5.0), agent("b", phase=Phase.BACKOFF, retry_at=3.0))

    assert roster.next_deadline(agents) == 3.0
    assert roster.due(agents, 4.0) == ("b",)


def test_an_unknown_agent_is_named():
    with pytest.raises(UnknownAgentError, match='"nobody"'):
        roster.step(of(), "nobody", events.Start(), 0.0)
