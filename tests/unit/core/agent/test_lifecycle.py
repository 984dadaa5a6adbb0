"""The life of one agent, as operators and admins lead it: one story a test."""

from __future__ import annotations

import pytest

from opmas.core import events
from opmas.core.agent.lifecycle import SETTLE
from opmas.core.agent.state import TRANSITIONS, Pending, deadline
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.events import Forget, Prepare, StartUnit, StopUnit
from opmas.errors import TransitionError
from tests.builders import (
    activating,
    active,
    auto_restart,
    deactivating,
    exited,
    inactive,
    killed,
    running,
    stopped,
)
from tests.unit.core.story import Story


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
    story = Story(running()).on(events.Stop()).on(events.JobIssued(7))

    story.sees(deactivating(), killed(result="timeout")).on(events.JobEnded(7, "done"))

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


def test_a_stop_just_after_a_start_is_nobody_elses():
    story = Story(stopped()).on(events.Start()).on(events.Turn("1")).on(events.Stop())

    story.sees(inactive(job_id=7), activating(job_id=8), deactivating(job_id=8))
    story.sees(inactive(job_id=8)).on(events.JobEnded(8, "done")).on(events.Tick(), SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.REQUESTED)
    assert not story.agent.held


def test_an_agent_that_ends_by_itself_is_left_in_peace():
    story = Story(running()).sees(inactive(exec_main_code=1))

    story.on(events.Tick(), SETTLE)

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPED, Reason.CLEAN_EXIT)
    assert not story.agent.held


def test_an_agent_that_ends_by_itself_is_not_said_to_be_stopped_by_somebody():
    story = Story(running()).sees(deactivating(exec_main_code=1))

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPING, Reason.CLEAN_EXIT)


def test_an_agent_that_somebody_stops_is_said_to_be_stopped_so():
    story = Story(running()).sees(deactivating(job_id=50))

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPING, Reason.SYSTEMCTL)


def test_an_agent_that_is_not_ready_in_time_is_not_said_to_be_stopped_as_asked():
    story = Story(stopped()).on(events.Start()).on(events.Turn("1")).on(events.JobIssued(7))

    story.sees(activating(job_id=7), deactivating(result="timeout"))

    assert (story.agent.phase, story.agent.reason) == (Phase.STOPPING, Reason.TIMEOUT)


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
