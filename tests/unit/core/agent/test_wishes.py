"""What is wanted while something else is under way: no wish is lost, no stop stays half done."""

from __future__ import annotations

from dataclasses import replace

from opmas.core import events, roster
from opmas.core.agent.lifecycle import SETTLE, START_GRACE, STOP_GRACE, decide
from opmas.core.agent.state import Agent, Pending, Then, deadline
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.events import Prepare, StartUnit, StopUnit
from opmas.core.recovery.context import Context
from opmas.core.roster import Roster
from tests.builders import activating, active, deactivating, inactive, killed, running, stopped

ROSTER = Roster()
AWAY = events.CallRefused(Reason.UNIT_ERROR, "systemd is away", retry=True)


def led(agent: Agent, *steps: events.Event, now: float = 0.0) -> tuple[Agent, list[events.Effect]]:
    """Return the agent after the steps, and the effects of the last one but its news."""
    effects: tuple[events.Effect, ...] = ()
    for step in steps:
        agent, effects = decide(agent, step, now, Context(ROSTER, agent.spec))
    return agent, [e for e in effects if not isinstance(e, events.Announce)]


def test_a_package_that_is_back_before_its_agent_has_stopped_has_it_started_again():
    agent, effects = led(running(), events.PackageSeen(present=False))
    assert effects == [StopUnit("web")]

    agent, _ = led(agent, events.PackageSeen(present=True), events.UnitSeen(None))

    assert (agent.phase, agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_a_start_while_somebody_elses_stop_is_under_way_follows_it():
    agent, _ = led(running(), events.UnitSeen(deactivating(job_id=9)), events.Start())

    agent, _ = led(agent, events.UnitSeen(inactive()), events.JobEnded(9, "done"))

    assert (agent.phase, agent.pending, agent.held) == (Phase.STARTING, Pending.QUEUED, False)


def test_a_start_in_the_moment_after_somebody_elses_stop_follows_it():
    down = (events.UnitSeen(None), events.JobEnded(9, "done"))
    agent, _ = led(running(), *down, events.Start())

    agent, _ = led(agent, events.Tick(), now=SETTLE)

    assert (agent.phase, agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_a_start_that_was_not_needed_in_the_end_is_forgotten():
    agent, _ = led(running(), events.UnitSeen(killed()), events.Start())

    agent, _ = led(agent, events.UnitSeen(active()))

    assert (agent.phase, agent.then) == (Phase.RUNNING, Then.NOTHING)


def test_a_stop_that_systemd_was_away_for_is_asked_again():
    agent, _ = led(running(), events.Remove(purge=True), AWAY)
    assert agent.phase is Phase.STOPPING

    agent, effects = led(agent, events.Tick(), now=deadline(agent) or 0.0)

    assert effects == [StopUnit("web")]
    assert agent.then is Then.PURGE


def test_a_stop_whose_job_was_replaced_is_asked_again_while_the_unit_is_up():
    agent, _ = led(running(), events.Stop(), events.JobIssued(7), events.JobEnded(7, "canceled"))

    agent, effects = led(agent, events.Tick(), now=STOP_GRACE)

    assert effects == [StopUnit("web")]
    assert led(agent, events.UnitSeen(None))[0].phase is Phase.STOPPED


def test_a_stop_whose_end_was_not_heard_is_asked_again_when_the_unit_is_up():
    agent, _ = led(running(), events.Stop(), events.JobIssued(7), events.UnitSeen(active()))

    agent, effects = led(agent, events.Tick(), now=STOP_GRACE)

    assert effects == [StopUnit("web")]


def test_a_stop_ends_when_its_job_is_heard_of_before_its_number():
    failed, _ = led(running(), events.UnitSeen(killed()), events.Stop())

    agent, _ = led(failed, events.JobEnded(7, "done"), events.JobIssued(7))

    assert (agent.phase, agent.pending) == (Phase.STOPPED, Pending.NOTHING)


def test_the_end_of_the_start_that_a_stop_replaced_is_not_the_end_of_the_stop():
    queued = replace(running(), phase=Phase.STARTING, pending=Pending.QUEUED, unit=None)
    starting, _ = led(queued, events.Turn("digest"), events.JobIssued(7))

    agent, _ = led(starting, events.Stop(), events.JobEnded(7, "canceled"))

    assert agent.phase is Phase.STOPPING


def test_a_stop_of_an_agent_that_waits_for_its_turn_stops_what_somebody_else_started():
    queued, _ = led(stopped(), events.Start(), events.UnitSeen(activating()))

    agent, effects = led(queued, events.Stop())

    assert effects == [StopUnit("web")]
    assert agent.phase is Phase.STOPPING


def test_a_slow_answer_of_systemd_is_no_failure_of_the_agent():
    asked, _ = led(stopped(), events.Start(), events.Turn("digest"))

    agent, _ = led(asked, events.Tick(), now=START_GRACE + 1)

    assert (agent.phase, agent.failures) == (Phase.STARTING, 0)


def test_a_job_that_shows_nothing_in_the_unit_ends_in_a_failure():
    asked, _ = led(stopped(), events.Start(), events.Turn("digest"), events.JobIssued(7))

    agent, _ = led(asked, events.Tick(), now=START_GRACE)

    assert (agent.phase, agent.failures) == (Phase.BACKOFF, 1)


def test_the_words_of_an_old_refusal_are_gone_at_the_next_failure():
    refused, _ = led(stopped(), events.Start(), events.Turn("digest"), AWAY)
    assert refused.message == "systemd is away"

    tried, _ = led(refused, events.Tick(), events.Turn("digest"), now=deadline(refused) or 0.0)
    agent, _ = led(tried, events.UnitSeen(activating()), events.UnitSeen(killed()), now=20)
    agent, _ = led(agent, events.Tick(), now=30)

    assert (agent.reason, agent.message) == (Reason.CRASHED, "")


def test_a_watchdog_that_ends_an_agent_is_not_called_systemctl():
    agent, _ = led(running(), events.UnitSeen(deactivating(result="watchdog")))

    assert (agent.phase, agent.reason) == (Phase.STOPPING, Reason.WATCHDOG)


def test_an_agent_whose_package_went_starts_with_another_one():
    without = stopped(reason=Reason.PACKAGE_MISSING, package_present=False)
    wanted = replace(without, spec=replace(without.spec, desired=Desired.RUNNING))
    agents = Roster({"web": wanted})

    agents, effects = roster.put(agents, replace(wanted.spec, package="other"), 0.0)

    assert Prepare("web") in effects
    assert roster.turns(agents) == ("web",)
    assert StartUnit("web") in roster.step(agents, "web", events.Turn("digest"), 0.0)[1]
