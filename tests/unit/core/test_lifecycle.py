"""The life of one agent: one story a test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core import events
from opmas.core.agent import Desired, Phase, Reason
from opmas.core.events import Announce, Forget, Prepare, StartUnit, StopUnit
from opmas.core.lifecycle import SETTLE, START_GRACE, decide
from opmas.core.recovery import Policy
from opmas.core.state import TRANSITIONS, Agent, Pending, Then, deadline
from opmas.errors import TransitionError
from tests.builders import (
    activating,
    active,
    agent,
    auto_restart,
    deactivating,
    exited,
    inactive,
    killed,
    running,
    stopped,
)

POLICY = Policy()


class Story:
    """Leads one agent through events; `effects` are those of the last one."""

    def __init__(self, beginning: Agent) -> None:
        self.agent = beginning
        self.effects: list[events.Effect] = []
        self.news: list[Announce] = []

    def on(self, event: events.Event, now: float = 0.0) -> Story:
        self.agent, effects = decide(self.agent, event, now, POLICY)
        self.effects = [e for e in effects if not isinstance(e, Announce)]
        self.news += [e for e in effects if isinstance(e, Announce)]
        return self

    def sees(self, *units: object, now: float = 0.0) -> Story:
        for unit in units:
            self.on(events.UnitSeen(unit), now)  # type: ignore[arg-type]
        return self

    def starts(self, job: int = 7) -> Story:
        return self.on(events.Turn("digest")).on(events.JobIssued(job))

    @property
    def told(self) -> list[str]:
        return [n.type for n in self.news]


def test_every_phase_has_a_row_for_every_fact_that_brings_an_agent_up():
    up = {"unit activating", "unit active", "unit reloading", "unit deactivating"}

    missing = {p: up - {str(c) for c in TRANSITIONS[p]} for p in Phase}

    assert missing == {p: set() for p in Phase}


def test_a_start_waits_for_its_turn_and_then_prepares_before_it_starts():
    story = Story(stopped()).on(events.Start())
    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)

    story.on(events.Turn("digest"))

    assert story.effects == [Prepare("web"), StartUnit("web", reset=False)]
    assert story.agent.spec.desired is Desired.RUNNING


def test_a_started_agent_runs_when_its_unit_is_active():
    story = Story(stopped()).on(events.Start()).starts()

    story.sees(activating(job_id=7), active(job_id=7)).on(events.JobEnded(7, "done"))

    assert (story.agent.phase, story.agent.reason) == (Phase.RUNNING, Reason.READY)
    assert story.agent.pending is Pending.NOTHING
    assert deadline(story.agent) is None


def test_starting_a_running_agent_changes_nothing():
    story = Story(running())

    story.on(events.Start(), 5)

    assert story.agent == running()
    assert (story.effects, story.told) == ([], [])


def test_a_stop_asks_systemd_and_is_done_when_the_unit_is_down():
    story = Story(running()).on(events.Stop())
    assert story.effects == [StopUnit("web")]

    story.sees(deactivating(), inactive())

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.REQUESTED)
    assert not story.agent.held


def test_a_stop_before_the_turn_of_a_start_asks_systemd_nothing():
    story = Story(stopped()).on(events.Start())

    story.on(events.Stop())

    assert story.effects == []
    assert story.agent.phase is Phase.STOPPED


def test_an_agent_that_had_to_be_killed_to_stop_is_stopped():
    story = Story(running()).on(events.Stop())

    story.sees(deactivating(), killed(result="timeout"))

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.REQUESTED)


def test_a_stop_of_a_unit_that_is_down_already_is_done_when_its_job_is():
    story = Story(running()).sees(exited()).on(events.Stop()).on(events.JobIssued(8))

    story.on(events.JobEnded(8, "done"))

    assert (story.agent.phase, story.agent.pending) == (Phase.STOPPED, Pending.NOTHING)
    assert deadline(story.agent) is None


def test_a_start_makes_an_agent_ours_that_systemctl_started():
    story = Story(stopped()).sees(activating(job_id=9), active(job_id=9))

    story.on(events.Start())

    assert (story.agent.reason, story.effects) == (Reason.READY, [])
    assert story.agent.spec.desired is Desired.RUNNING


def test_a_restart_starts_again_when_the_unit_is_down():
    story = Story(running()).on(events.Restart())
    assert story.effects == [StopUnit("web")]

    story.sees(deactivating(), inactive())

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_a_start_during_a_stop_is_remembered():
    story = Story(running()).on(events.Stop()).sees(deactivating())

    story.on(events.Start()).sees(None)

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_a_late_sight_of_the_old_run_does_not_undo_a_stop():
    story = Story(running()).on(events.Stop())

    story.sees(active())

    assert (story.agent.phase, story.agent.pending) == (Phase.STOPPING, Pending.STOP)


def test_the_exit_of_a_crash_is_told_although_systemd_forgets_it():
    story = Story(running())

    story.sees(
        killed(signal=9), auto_restart(), inactive(job_id=9), activating(), active(main_pid=101)
    )

    [exit_news] = [n for n in story.news if n.type == "opmas.agent.exited"]
    assert exit_news.data["signal"] == "SIGKILL"
    assert exit_news.data["main_pid"] == 100
    assert story.agent.phase is Phase.RUNNING


def test_an_automatic_restart_is_no_failure_of_ours():
    story = Story(running()).sees(killed(), auto_restart(), inactive(job_id=9))

    story.sees(activating(), active()).on(events.JobEnded(9, "done"))

    assert (story.agent.failures, story.agent.held) == (0, False)
    assert deadline(story.agent) is None


def test_the_same_exit_seen_again_is_not_told_twice():
    story = Story(running())

    story.sees(killed(), killed(status_text="again"))

    assert story.told.count("opmas.agent.exited") == 1


def test_a_stop_by_an_admin_is_honoured_and_held():
    story = Story(running()).sees(deactivating(job_id=50), inactive(job_id=50))

    story.on(events.JobEnded(50, "done"), 0.1).on(events.Tick(), 0.1 + SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.HELD)
    assert story.agent.held
    assert story.agent.spec.desired is Desired.RUNNING
    assert "opmas.agent.held" in story.told


def test_a_stop_by_an_admin_that_needed_a_kill_is_held_all_the_same():
    story = Story(running()).sees(deactivating(job_id=50), killed(result="timeout", job_id=50))

    story.on(events.JobEnded(50, "done")).on(events.Tick(), SETTLE)

    assert story.agent.reason is Reason.HELD


def test_a_stop_by_an_admin_is_not_judged_while_its_job_is_under_way():
    story = Story(running()).sees(inactive(job_id=50))

    story.on(events.Tick(), SETTLE)

    assert story.agent.phase is Phase.RUNNING
    assert deadline(story.agent) == pytest.approx(2 * SETTLE)


def test_a_restart_by_an_admin_is_no_hold():
    story = Story(running()).sees(deactivating(job_id=50), inactive(job_id=50))

    story.sees(activating(job_id=50), active(job_id=50)).on(events.JobEnded(50, "done"))

    assert (story.agent.phase, story.agent.held) == (Phase.RUNNING, False)
    assert deadline(story.agent) is None


def test_a_held_agent_started_with_systemctl_is_released():
    story = Story(running(phase=Phase.STOPPED, reason=Reason.HELD, held=True, unit=None))

    story.sees(activating(job_id=51), active(job_id=51))

    assert (story.agent.phase, story.agent.held) == (Phase.RUNNING, False)
    assert [n.data for n in story.news if n.type == "opmas.agent.released"] == [
        {"by": "systemctl"}
    ]


def test_a_held_agent_is_taken_back_by_a_start():
    story = Story(running(phase=Phase.STOPPED, reason=Reason.HELD, held=True, unit=None))

    story.on(events.Start())

    assert (story.agent.phase, story.agent.held) == (Phase.STARTING, False)
    assert [n.data for n in story.news if n.type == "opmas.agent.released"] == [{"by": "opmas"}]


def test_an_agent_stopped_in_opmas_and_started_with_systemctl_runs():
    story = Story(stopped())

    story.sees(activating(job_id=9), active(job_id=9))

    assert (story.agent.phase, story.agent.reason) == (Phase.RUNNING, Reason.SYSTEMCTL)
    assert story.agent.spec.desired is Desired.STOPPED


def test_an_agent_that_ends_by_itself_is_left_in_peace():
    story = Story(running()).sees(inactive(exec_main_code=1))

    story.on(events.Tick(), SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.CLEAN_EXIT)
    assert not story.agent.held


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
    assert deadline(story.agent) == 3 + POLICY.first_delay


def test_a_refused_stop_leaves_the_agent_as_it_is_seen():
    story = Story(running()).on(events.Stop())

    story.on(events.CallRefused(Reason.UNIT_ERROR, "no answer"))

    assert story.agent.phase is Phase.RUNNING


def test_an_agent_whose_package_went_is_stopped_and_comes_back_with_it():
    story = Story(running())

    story.on(events.PackageSeen(present=False)).sees(deactivating(), inactive())
    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.PACKAGE_MISSING)
    story.on(events.PackageSeen(present=True))

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_an_agent_without_its_package_cannot_be_started():
    story = Story(stopped(package_present=False))

    with pytest.raises(TransitionError, match="apt install opmas-agent-nap"):
        story.on(events.Start())

    assert story.agent == stopped(package_present=False)


def test_a_removal_stops_the_unit_first():
    story = Story(running()).on(events.Remove(purge=True))
    assert story.effects == [StopUnit("web")]

    story.sees(deactivating(), inactive())

    assert story.effects == [Forget("web", purge=True)]


def test_an_agent_that_is_being_removed_takes_no_command():
    story = Story(running()).on(events.Remove())

    with pytest.raises(TransitionError, match="being removed"):
        story.on(events.Start())


def test_a_restart_of_the_manager_leaves_a_running_agent_alone():
    story = Story(running(unit=None))

    story.on(events.Resumed(active(), same_boot=True))

    assert (story.agent.phase, story.effects, story.told) == (Phase.RUNNING, [], [])


def test_a_stop_while_the_manager_was_away_is_held():
    story = Story(running(unit=None))

    story.on(events.Resumed(None, same_boot=True), 5).on(events.Tick(), 5)

    assert story.agent.reason is Reason.HELD


def test_a_crash_while_the_manager_was_away_is_told_and_tried_again():
    story = Story(running(unit=None))

    story.on(events.Resumed(killed(), same_boot=True), 5).on(events.Tick(), 5)

    assert "opmas.agent.exited" in story.told
    assert story.agent.phase is Phase.BACKOFF


def test_a_boot_starts_what_is_wanted_and_forgets_a_hold():
    held = running(phase=Phase.STOPPED, reason=Reason.HELD, held=True, unit=None)

    story = Story(held).on(events.Resumed(None, same_boot=False), 5)

    assert (story.agent.phase, story.agent.reason) == (Phase.STARTING, Reason.BOOT)
    assert (story.agent.pending, story.agent.held) == (Pending.QUEUED, False)


def test_a_boot_leaves_alone_what_is_not_wanted():
    story = Story(stopped()).on(events.Resumed(None, same_boot=False))

    assert (story.agent.phase, story.effects) == (Phase.STOPPED, [])


def test_a_boot_does_not_release_from_quarantine():
    given_up = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)

    story = Story(given_up).on(events.Resumed(None, same_boot=False))

    assert story.agent.phase is Phase.QUARANTINED


@pytest.mark.parametrize("pending", [Pending.QUEUED, Pending.START])
def test_a_start_that_the_manager_died_over_is_made_again(pending):
    dying = agent(phase=Phase.STARTING, reason=Reason.REQUESTED, pending=pending)

    story = Story(dying).on(events.Resumed(None, same_boot=True))

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_a_restart_that_the_manager_died_over_is_finished():
    dying = running(phase=Phase.STOPPING, pending=Pending.STOP, then=Then.START, unit=None)

    story = Story(dying).on(events.Resumed(inactive(), same_boot=True))

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_removal_that_the_manager_died_over_is_finished(same_boot):
    dying = running(phase=Phase.STOPPING, pending=Pending.STOP, then=Then.REMOVE, unit=None)
    dying = replace(dying, spec=replace(dying.spec, desired=Desired.STOPPED))

    story = Story(dying).on(events.Resumed(None, same_boot=same_boot))

    assert story.effects == [Forget("web", purge=False)]
