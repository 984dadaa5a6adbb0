"""An agent that stands by: for a change that needs it down, for an agent that it requires."""

from __future__ import annotations

import pytest

from opmas.core.agent.standby import needs_met, needs_unmet, unpause
from opmas.core.agent.state import Pending, Then
from opmas.core.agent.terms import Desired, Phase, Reason
from tests.builders import agent, running, spec, stopped

NOW = 9.0


def down(**changes):
    state = {"phase": Phase.STOPPED, "reason": Reason.CHANGE, "failures": 3}
    return agent(**{**state, **changes})


def test_an_agent_goes_on_after_a_change_without_its_old_failures():
    after = unpause(down(), NOW)

    assert (after.phase, after.pending, after.failures) == (Phase.STARTING, Pending.QUEUED, 0)


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.QUARANTINED, Phase.BACKOFF], ids=str)
def test_a_change_may_mend_what_failed(phase):
    assert unpause(down(phase=phase), NOW).pending is Pending.QUEUED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"spec": spec(desired=Desired.STOPPED)}, Reason.REQUESTED),
        ({"package_present": False}, Reason.PACKAGE_MISSING),
    ],
    ids=["unwanted", "missing"],
)
def test_an_agent_that_cannot_go_on_says_why(changes, reason):
    after = unpause(down(**changes), NOW)

    assert (after.phase, after.reason, after.pending) == (
        Phase.STOPPED,
        reason,
        Pending.NOTHING,
    )


@pytest.mark.parametrize(
    "other",
    [
        running(),
        down(held=True, reason=Reason.HELD),
        down(then=Then.REMOVE),
        stopped(),
    ],
    ids=["running", "held", "removed", "stopped"],
)
def test_others_stay_as_they_are(other):
    assert unpause(other, NOW).phase is other.phase
    assert unpause(other, NOW).pending is Pending.NOTHING


def test_an_agent_waits_for_what_it_requires_and_is_let_go_by_it():
    queued = agent(phase=Phase.STARTING, reason=Reason.REQUESTED, pending=Pending.QUEUED)

    waits = needs_unmet(queued, 'agent "db" is stopped', NOW)
    goes = needs_met(waits, NOW)

    assert (waits.phase, waits.reason, waits.message) == (
        Phase.STOPPED,
        Reason.DEPENDENCY,
        'agent "db" is stopped',
    )
    assert (goes.phase, goes.pending) == (Phase.STARTING, Pending.QUEUED)


@pytest.mark.parametrize(
    "changes",
    [{"paused": True}, {"package_present": False}, {"spec": spec(desired=Desired.STOPPED)}],
    ids=["paused", "missing", "unwanted"],
)
def test_an_agent_that_may_not_run_is_not_let_go(changes):
    waits = down(reason=Reason.DEPENDENCY, **changes)

    assert needs_met(waits, NOW) is waits


def test_an_agent_that_was_asked_of_systemd_waits_for_nobody():
    asked = agent(phase=Phase.STARTING, reason=Reason.REQUESTED, pending=Pending.START)

    assert needs_unmet(asked, "db is away", NOW) is asked
