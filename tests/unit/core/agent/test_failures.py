"""The life of one agent that fails, or that systemd refuses: one story a test."""

from __future__ import annotations

import pytest

from opmas.core import events
from opmas.core.agent.explain import REASONS, message
from opmas.core.agent.lifecycle import SETTLE, START_GRACE
from opmas.core.agent.state import Pending, deadline
from opmas.core.agent.terms import Phase, Reason
from opmas.core.events import Prepare, StartUnit
from opmas.core.recovery.ladder import backoff
from opmas.core.recovery.policy import Policy
from tests.builders import (
    activating,
    active,
    agent,
    auto_restart,
    exited,
    inactive,
    running,
    stopped,
)
from tests.unit.core.story import POLICY, Story

AWAY = events.CallRefused(Reason.UNIT_ERROR, "no answer", retry=True)


def test_an_agent_that_systemd_gave_up_is_tried_again_later():
    story = Story(running()).sees(exited(status=1))

    story.on(events.Tick(), SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.BACKOFF, Reason.CRASHED)
    assert story.agent.retry_at is not None
    story.on(events.Tick(), story.agent.retry_at)
    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_the_start_after_a_failure_resets_the_unit():
    story = Story(running()).sees(exited()).on(events.Tick(), SETTLE).on(events.Start())

    story.on(events.Turn("digest"))

    assert story.effects == [Prepare("web"), StartUnit("web", reset=True)]


def test_an_exit_that_says_do_not_restart_is_not_looped():
    story = Story(running()).sees(exited(status=78))

    story.on(events.Tick(), SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.FAILED, Reason.EXIT_CONFIG)
    assert deadline(story.agent) is None


def test_why_an_agent_refuses_to_run_is_told_in_its_own_words():
    said = "Web.setup() failed: ConfigError: there is no such server"
    story = Story(running()).sees(exited(status=78, status_text=said))

    story.on(events.Tick(), SETTLE)

    assert message(story.agent) == f"{REASONS[Reason.EXIT_CONFIG]}: {said}"


def fails(story: Story, now: float) -> float:
    """Let systemd give the agent up once more, and return when it is tried again."""
    story.sees(exited(at=now), now=now).on(events.Tick(), now + SETTLE)
    retry_at = story.agent.retry_at or now
    story.on(events.Tick(), retry_at).on(events.Turn("digest"), retry_at)
    story.sees(activating(), active(), now=retry_at)
    return retry_at + 1


def test_a_crash_loop_is_given_up_even_when_the_unit_comes_up_each_time():
    story, now = Story(running()), 1.0

    for _ in range(POLICY.max_failures):
        now = fails(story, now)
    story.sees(exited(at=now), now=now).on(events.Tick(), now + SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.QUARANTINED, Reason.CRASH_LOOP)
    assert deadline(story.agent) is None


def test_failures_are_forgotten_after_sustained_running():
    story = Story(running())
    now = fails(story, 1.0)
    now = fails(story, now)

    story.sees(exited(at=9e3), now=now + POLICY.reset_after).on(events.Tick(), now + 1e3)

    assert story.agent.failures == 1


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.QUARANTINED, Phase.BACKOFF])
def test_a_start_releases_an_agent_that_was_given_up(phase):
    story = Story(agent(phase=phase, failures=6, retry_at=99.0))

    story.on(events.Start())

    assert (story.agent.phase, story.agent.failures) == (Phase.STARTING, 0)
    assert deadline(story.agent) is None


def test_a_stop_by_an_admin_during_backoff_ends_the_tries():
    story = Story(agent(phase=Phase.BACKOFF, retry_at=99.0, unit=exited()))

    story.on(events.JobEnded(5, "done"))

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.HELD)
    assert deadline(story.agent) is None


def test_a_start_that_never_becomes_a_job_is_judged_after_a_grace():
    story = Story(stopped()).on(events.Start()).starts().sees(None)

    story.on(events.Tick(), START_GRACE)

    assert (story.agent.phase, story.agent.reason) == (Phase.BACKOFF, Reason.UNIT_ERROR)


def test_a_start_that_an_admin_canceled_is_a_hold():
    story = Story(stopped()).on(events.Start()).starts(7).sees(inactive())

    story.on(events.JobEnded(7, "canceled"), 1).on(events.Tick(), 1 + SETTLE)

    assert story.agent.reason is Reason.HELD


def test_a_start_job_that_failed_while_systemd_restarts_is_not_yet_a_failure():
    story = Story(stopped()).on(events.Start()).starts(7).sees(activating(job_id=7))

    story.sees(exited(job_id=7), auto_restart()).on(events.JobEnded(7, "failed"))

    assert (story.agent.phase, story.agent.reason) == (Phase.STARTING, Reason.AUTO_RESTART)
    assert deadline(story.agent) is None


def test_a_refused_start_is_shown_with_its_cause_and_not_repeated():
    story = Story(stopped()).on(events.Start()).on(events.Turn("digest"))

    story.on(events.CallRefused(Reason.MASKED, "the unit is masked"))

    assert (story.agent.phase, story.agent.reason) == (Phase.FAILED, Reason.MASKED)
    assert story.agent.message == "the unit is masked"


def test_a_start_that_systemd_could_not_take_is_repeated():
    story = Story(stopped()).on(events.Start()).on(events.Turn("digest"))

    story.on(events.CallRefused(Reason.UNIT_ERROR, "no answer", retry=True), 3)

    assert story.agent.phase is Phase.BACKOFF
    assert deadline(story.agent) == 3 + backoff("web", 1, POLICY)


def refused_on(story: Story, now: float) -> float:
    """Have systemd not take the next start, and return after which time it is tried again."""
    story.on(events.Turn("digest"), now).on(AWAY, now)
    retry_at = deadline(story.agent) or now
    story.on(events.Tick(), retry_at)
    return retry_at - now


def test_starts_that_systemd_does_not_take_are_tried_ever_more_rarely():
    story = Story(stopped(), Policy(jitter=0)).on(events.Start())

    delays = [refused_on(story, 1000.0 * turn) for turn in range(7)]

    assert delays == [10, 20, 40, 80, 160, 300, 300]
    assert story.agent.failures == 0


@pytest.mark.parametrize(
    "ends",
    [
        (events.Turn("digest"), events.JobIssued(7)),
        (events.UnitSeen(active()),),
        (events.Start(),),
        (events.Resumed(None, same_boot=False),),
    ],
    ids=["a start is taken", "somebody else starts it", "it is asked for anew", "a boot"],
)
def test_they_are_counted_anew_after_that(ends):
    story = Story(stopped()).on(events.Start())
    refused_on(story, 0.0)

    before = story.agent.refusals
    for event in ends:
        story.on(event, 50.0)

    assert (before, story.agent.refusals) == (1, 0)


def test_a_refused_stop_leaves_the_agent_as_it_is_seen():
    story = Story(running()).on(events.Stop())

    story.on(events.CallRefused(Reason.UNIT_ERROR, "no answer"))

    assert story.agent.phase is Phase.RUNNING


def test_a_failure_just_before_our_stop_may_be_followed_by_a_restart():
    story = Story(running()).on(events.Paused()).on(events.JobIssued(7))

    story.sees(exited(status=1))

    assert story.agent.phase is Phase.STOPPING
    story.sees(auto_restart()).sees(inactive()).on(events.JobEnded(7, "done"))
    assert (story.agent.phase, story.agent.held) == (Phase.STOPPED, False)


def test_a_failure_that_our_stop_ended_in_is_the_end():
    story = Story(running()).on(events.Paused()).on(events.JobIssued(7))

    story.on(events.JobEnded(7, "done")).sees(exited(status=1))

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.CHANGE)
