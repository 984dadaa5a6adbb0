"""The change engine, rule by rule: one agent, a shell that answers or fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core import events
from opmas.core.agent.state import Pending
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.change import engine, plan
from opmas.core.change.change import ChangeState, Kind, TaskState
from opmas.core.change.evidence import Surroundings
from opmas.core.change.knownbad import key
from opmas.core.events import Measure, StartUnit, StopUnit, Tidy
from opmas.errors import RequestError
from tests.builders import running, spec, stopped
from tests.unit.core.course import FAILED, Course

WEB = spec(version="1.0")


def update(version: str = "2.0", **changes):
    return replace(plan.update(WEB, version, author="ann"), **changes)


def configure(naps: int, **changes):
    change = plan.put(WEB, replace(WEB, config={"naps": naps}), author="ann", lives=True)
    assert change is not None
    return replace(change, **changes)


# ---- forward ----


def test_a_change_begins_with_a_measure_of_its_agents_and_its_first_task():
    course = Course().proposes(update())

    assert course.change().state is ChangeState.APPLYING
    assert course.change().was_up == ("web",)
    assert Measure(1) in course.effects
    assert course.asks() == ["check"]


def test_each_task_begins_when_the_one_before_has_ended():
    course = Course().proposes(update()).answers().answers()
    assert (course.agent.paused, course.agent.phase) == (True, Phase.STOPPING)
    assert course.asks() == []

    course.goes_down()
    assert (course.agent.phase, course.agent.reason) == (Phase.STOPPED, Reason.CHANGE)
    assert course.asks() == ["snapshot"]

    course.answers()
    assert course.agent.spec.version == "2.0"
    assert course.asks() == ["migrate"]

    course.answers()
    assert (course.agent.paused, course.agent.pending) == (False, Pending.START)
    assert course.change().state is ChangeState.WATCHING


def test_what_a_check_finds_needless_is_skipped():
    course = Course().proposes(update()).answers(needless=["snapshot", "migrate"]).answers()

    course.goes_down().comes_up()

    assert course.states()["snapshot"] == course.states()["migrate"] == "skipped"
    assert course.change().state is ChangeState.WATCHING


def test_a_rollback_migrates_before_the_switch():
    course = Course().proposes(plan.update(WEB, "0.9", author="ann", back=True))

    course.answers().answers().goes_down().answers()

    assert course.asks() == ["migrate"]
    assert course.agent.spec.version == "1.0"


def test_a_watch_lasts_its_window_from_when_the_agent_is_up():
    course = Course(window=30.0).updated(update())

    course.lives(29)
    assert course.change().state is ChangeState.WATCHING
    course.lives(3)

    assert (course.change().state, course.change().reason) == (ChangeState.COMMITTED, "well")
    assert Tidy(1) in course.effects


def test_a_change_without_a_window_is_kept_at_once():
    course = Course(window=0.0).updated(update())

    assert course.change().state is ChangeState.COMMITTED
    assert course.states()["watch"] == "skipped"


def test_an_agent_that_is_not_wanted_running_is_changed_and_not_started():
    course = Course(stopped(spec=spec(version="1.0", desired=Desired.STOPPED)))

    course.proposes(update()).answers().answers().answers().answers()

    assert course.change().reason == "not-running"
    assert course.agent.phase is Phase.STOPPED
    assert not [e for e in course.effects if isinstance(e, StartUnit | StopUnit)]


def test_a_removal_ends_when_the_agent_is_gone():
    course = Course().proposes(plan.remove(WEB, purge=False, author="ann")).goes_down()
    assert course.states() == {"remove": "doing"}

    course.takes(lambda r: (replace(r, agents={}), ()))

    assert course.change().state is ChangeState.COMMITTED


# ---- refused ----


@pytest.mark.parametrize("answered", [0, 1], ids=["check", "rehearse"])
def test_what_fails_before_anything_was_changed_is_refused(answered):
    course = Course().proposes(update())
    for _ in range(answered):
        course.answers()

    course.answers(FAILED)

    change = course.change()
    assert (change.state, change.reason) == (ChangeState.REFUSED, "no-space")
    assert change.message == "the disk is full"
    assert course.agent.phase is Phase.RUNNING
    assert not course.roster.bad


def test_a_change_of_an_agent_that_went_is_refused():
    course = Course(running("other")).proposes(update())

    assert (course.change().state, course.change().reason) == (ChangeState.REFUSED, "outdated")


def test_a_change_is_refused_when_its_agent_is_not_what_was_expected_any_more():
    course = Course().proposes(update())
    exact = engine.expecting(course.roster, configure(3))

    course.proposes(exact).answers().answers().goes_down().answers().answers().comes_up()
    course.lives(1)

    assert course.change(1).reason == "next-change"
    assert (course.change(2).state, course.change(2).reason) == (
        ChangeState.REFUSED,
        "revision-mismatch",
    )


def test_a_stop_meanwhile_is_nothing_unexpected():
    course = Course()
    exact = engine.expecting(course.roster, update())

    course.on(events.Stop()).proposes(exact)

    assert course.change().state is ChangeState.APPLYING


def test_a_change_is_refused_with_the_one_that_it_follows():
    course = Course().proposes(plan.install("nap", "2.0", {"path": "/x"}, author="ann"))
    course.proposes(update(follows=(1,)))
    assert course.change(2).state is ChangeState.PLANNED

    course.answers(FAILED)

    assert course.change(1).state is course.change(2).state is ChangeState.REFUSED
    assert (course.change(2).reason, "the disk is full" in course.change(2).message) == (
        "follows",
        True,
    )


# ---- back ----


def test_what_fails_later_is_undone_from_the_last_to_the_first():
    course = Course().proposes(update()).answers().answers().goes_down().answers()

    course.answers(FAILED)
    assert course.change().state is ChangeState.REVERTING
    assert course.asks() == ["-migrate"]
    course.answers()
    assert course.agent.spec.version == "1.0"
    assert course.asks() == ["-snapshot"]
    held = course.agent
    course.answers()
    freed = course.agent
    course.comes_up()

    change = course.change()
    assert (change.state, change.reason) == (ChangeState.REVERTED, "no-space")
    assert TaskState.DONE not in {t.state for t in change.tasks}
    assert (held.paused, freed.paused) == (True, False)


def test_a_version_that_does_badly_is_undone_and_barred():
    course = Course().updated(update())

    course.fails().looks().goes_down()
    while course.asked:
        course.answers()
    course.comes_up()

    change = course.change()
    assert (change.state, change.reason) == (ChangeState.REVERTED, "config-error")
    assert course.agent.spec.version == "1.0"
    assert course.roster.bad[key("nap", "2.0")].count == 1


def test_what_somebody_undoes_is_not_barred():
    course = Course().updated(update())

    course.takes(lambda r: engine.undo(r, 1, "ann", course.now))
    course.goes_down()
    while course.asked:
        course.answers()
    course.comes_up()

    assert (course.change().state, course.change().reason) == (ChangeState.REVERTED, "undone")
    assert not course.roster.bad


def test_a_change_that_waits_is_undone_by_never_being_begun():
    course = Course().proposes(update(), configure(2))

    course.takes(lambda r: engine.undo(r, 2, "ann", course.now))

    assert course.change(2).state is ChangeState.REFUSED
    assert course.change(1).state is ChangeState.APPLYING


def test_a_migration_that_goes_on_is_ended_by_an_undo():
    course = Course().proposes(update()).answers().answers().goes_down().answers()

    course.takes(lambda r: engine.undo(r, 1, "ann", course.now))
    assert [e.undo for e in course.asked] == [False, True]
    course.answers(FAILED)  # the migration, which was ended
    course.answers().answers().comes_up()

    assert course.change().state is ChangeState.REVERTED


def test_a_job_that_goes_on_is_waited_for_by_an_undo():
    course = Course().proposes(update()).answers().answers().goes_down()

    course.takes(lambda r: engine.undo(r, 1, "ann", course.now))
    assert course.asks() == ["snapshot"]
    course.answers()
    assert course.asks() == ["-snapshot"]
    course.answers().comes_up()

    assert course.change().state is ChangeState.REVERTED


def test_what_cannot_be_put_back_is_named():
    course = Course().proposes(update()).answers().answers().goes_down().answers()
    course.answers(FAILED).answers()

    course.answers(FAILED).comes_up()

    assert course.change().state is ChangeState.REVERT_FAILED
    assert any("the disk is full" in fact for fact in course.change().facts)
    assert Tidy(1) not in course.effects


def test_an_agent_that_was_stopped_meanwhile_is_not_started_by_an_undo():
    course = Course().updated(update())
    course.on(events.Stop()).goes_down()
    assert course.change().state is ChangeState.COMMITTED

    course = Course().proposes(update()).answers().answers().goes_down().answers()
    course.on(events.Stop()).answers(FAILED)
    while course.asked:
        course.answers()

    assert course.change().state is ChangeState.REVERTED
    assert course.agent.phase is Phase.STOPPED


def test_a_removal_that_is_begun_is_not_undone():
    course = Course().proposes(plan.remove(WEB, purge=False, author="ann"))

    with pytest.raises(RequestError, match="what is removed is gone"):
        engine.undo(course.roster, 1, "ann", course.now)


def test_a_version_that_was_deleted_is_told_when_the_rest_fails():
    removal = plan.remove_package("nap", ["1.0", "2.0"], None, author="ann")
    course = Course().proposes(removal).answers().answers()

    course.answers(FAILED)

    assert course.change().state is ChangeState.REVERT_FAILED
    assert any("nap 1.0 is deleted" in fact for fact in course.change().facts)
    assert not any("nap 2.0 is deleted" in fact for fact in course.change().facts)


# ---- one after another ----


def test_one_change_at_a_time_goes_on_for_an_agent():
    course = Course().proposes(update(), configure(2))

    assert [str(c.state) for c in course.roster.changes.values()] == ["applying", "planned"]


def test_a_newer_change_ends_the_watch_when_the_agent_is_up_and_well():
    course = Course().proposes(update()).answers().answers().goes_down().answers().answers()
    course.proposes(configure(2))
    assert course.change(1).state is ChangeState.WATCHING

    course.comes_up()

    assert course.change(1).reason == "next-change"
    assert course.change(2).state is ChangeState.WATCHING


def test_a_newer_change_that_nobody_asked_for_waits_for_the_whole_window():
    course = Course().updated(update())

    course.proposes(configure(2, automatic=True)).lives(5)

    assert course.change(1).state is ChangeState.WATCHING
    assert course.change(2).state is ChangeState.PLANNED


def test_a_removal_supersedes_what_waits_and_what_is_watched():
    course = Course().updated(update()).proposes(configure(2, automatic=True))

    course.takes(lambda r: engine.supersede(r, "web"))

    assert [(str(c.state), c.reason) for c in course.roster.changes.values()] == [
        ("committed", "removed"),
        ("refused", "removed"),
    ]


# ---- after a kill ----


def test_after_a_kill_a_task_is_done_again_from_its_start():
    course = Course().proposes(update()).answers()
    assert course.asks() == ["rehearse"]

    course.is_killed()

    assert course.asks() == ["rehearse"]


def test_after_a_kill_a_migration_is_not_done_again_but_undone():
    course = Course().proposes(update()).answers().answers().goes_down().answers()

    course.is_killed()

    assert course.asks() == ["-migrate"]
    course.answers().answers().comes_up()
    assert (course.change().state, course.change().reason) == (
        ChangeState.REVERTED,
        "interrupted",
    )
    assert not course.roster.bad


def test_after_a_kill_an_undo_is_done_again():
    course = Course().proposes(update()).answers().answers().goes_down().answers()
    course.answers(FAILED).answers()
    assert course.asks() == ["-snapshot"]

    course.is_killed()

    assert course.asks() == ["-snapshot"]


def test_after_a_kill_a_watch_goes_on_for_what_is_left_of_it():
    course = Course(window=30.0).updated(update()).lives(20)

    course.is_killed().lives(12)

    assert course.change().state is ChangeState.COMMITTED


def test_after_a_boot_a_watch_begins_anew():
    course = Course(window=30.0).updated(update()).lives(20)

    course.is_killed(same_boot=False).lives(20)

    assert course.change().state is ChangeState.WATCHING


def test_after_a_kill_an_agent_that_is_being_removed_is_not_removed_twice():
    course = Course().proposes(plan.remove(WEB, purge=False, author="ann"))

    course.is_killed().goes_down()
    course.takes(lambda r: (replace(r, agents={}), ()))

    assert (course.change().kind, course.change().state) == (Kind.REMOVE, ChangeState.COMMITTED)


# ---- what the event log is told ----


def test_every_state_and_every_step_is_told():
    course = Course(window=0.0).updated(update())

    states = [n.data["to"] for n in course.news if n.type == "opmas.change.state"]
    steps = [
        (n.data["task"], n.data["state"]) for n in course.news if n.type == "opmas.change.step"
    ]
    assert states == ["planned", "applying", "committed"]
    assert steps[:4] == [
        ("check", "doing"),
        ("check", "done"),
        ("rehearse", "doing"),
        ("rehearse", "done"),
    ]
    assert steps[-1] == ("watch", "skipped")


def test_a_trouble_outside_keeps_what_looks_bad():
    course = Course(window=20.0).updated(update())

    full = Surroundings(disk_free=0.0, disk_free_bytes=0)
    course.fails()
    for _ in range(25):
        course.now += 1
        course.looks(full)

    assert course.change().state in {ChangeState.WATCHING, ChangeState.COMMITTED}
