"""A quarantined agent whose package is gone: not tried, and it says why."""

from __future__ import annotations

from opmas.core import events, roster
from opmas.core.agent.explain import explain, message
from opmas.core.agent.state import Pending, deadline
from opmas.core.agent.terms import Phase, Reason
from opmas.core.events import PackageSeen
from opmas.core.recovery.policy import Policy
from opmas.core.roster import Roster
from tests.builders import agent
from tests.unit.core.story import Story

SLOW = Policy(slow_probe=100, jitter=0)
GONE, BACK = PackageSeen(present=False), PackageSeen(present=True)


def quarantined(**changes):
    given = {
        "phase": Phase.QUARANTINED, "reason": Reason.CRASH_LOOP, "failures": 6, "since": 1.0,
    }  # fmt: skip
    return agent(**{**given, **changes})


def test_it_is_not_tried_and_nothing_is_counted_until_the_package_is_back():
    whole = Roster({"web": quarantined(retry_at=100.0)}, policy=SLOW)
    whole, _ = roster.step(whole, "web", GONE, 50.0)

    later, _ = roster.step(whole, "web", events.Tick(), 500.0)

    web = later.agents["web"]
    assert (web.phase, web.pending, web.failures) == (Phase.QUARANTINED, Pending.NOTHING, 6)
    assert web.decisions == ()
    assert deadline(web) is None
    assert later.budget == whole.budget


def test_a_try_that_was_due_meanwhile_is_made_when_it_is_back():
    story = Story(quarantined(retry_at=100.0), SLOW).on(GONE, 50.0).on(events.Tick(), 500.0)

    story.on(BACK, 600.0)
    due = deadline(story.agent)
    story.on(events.Tick(), 600.0)

    assert due == 100.0
    assert (story.agent.phase, story.agent.reason) == (Phase.STARTING, Reason.SLOW_PROBE)


def test_it_says_so_and_is_quarantined_as_before_when_it_is_back():
    story = Story(quarantined(retry_at=100.0), SLOW).on(GONE, 50.0)
    gone = (message(story.agent), explain(story.agent, 50.0, SLOW).next)

    story.on(BACK, 60.0)

    assert gone[0] == "its package is not installed"
    assert gone[1].startswith("It is tried once when its package is installed again")
    assert (story.agent.phase, story.agent.reason) == (Phase.QUARANTINED, Reason.CRASH_LOOP)
    assert story.agent.since == 1.0


def test_one_that_is_never_tried_waits_to_be_released_with_or_without_its_package():
    story = Story(quarantined()).on(GONE, 50.0)

    told = explain(story.agent, 50.0, Policy()).next
    story.on(BACK, 60.0)

    assert told == "Nothing, until the cause is mended and `opmas agent start web`."
    assert story.agent.phase is Phase.QUARANTINED
