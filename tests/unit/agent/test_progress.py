"""The value that the watchdog is fed by."""

import pytest

from opmas.agent.progress import NEVER, Progress


def test_an_agent_with_nothing_to_do_is_alive():
    progress = Progress()

    progress.rest("run")

    assert progress.stuck(1e9) == []
    assert progress.late(1e9) == []
    assert progress.next_deadline() == NEVER


@pytest.mark.parametrize(("now", "stuck"), [(0.0, 0), (9.9, 0), (10.0, 1), (60.0, 1)])
def test_a_busy_activity_is_stuck_from_its_limit_on(now, stuck):
    progress = Progress()

    progress.begin("run", 0.0, 10.0)

    assert len(progress.stuck(now)) == stuck


def test_progress_moves_the_deadline():
    progress = Progress()
    progress.begin("run", 0.0, 10.0)

    progress.advance("run", 9.0)

    assert progress.stuck(18.0) == []
    assert progress.next_deadline() == 19.0
    assert progress.stuck(19.5) == ["run: no progress for 10.5 s (limit 10.0 s)"]


def test_progress_of_something_that_rests_changes_nothing():
    progress = Progress()

    progress.advance("run", 5.0)

    assert not progress.is_busy("run")


def test_one_stuck_worker_is_named_beside_others_that_get_on():
    progress = Progress()
    progress.begin("poller", 0.0, 1.0)
    progress.begin("run", 0.0, 10.0)

    stuck = progress.stuck(5.0)

    assert stuck == ["poller: no progress for 5.0 s (limit 1.0 s)"]


def test_what_is_due_and_does_not_begin_is_late():
    progress = Progress()

    progress.rest_until("on_event", due=5.0, stall_after=10.0)

    assert progress.late(14.9) == []
    assert progress.late(16.0) == ["on_event: due, but not begun for 1.0 s beyond its limit"]
    assert progress.stuck(16.0) == []


def test_what_has_begun_is_no_longer_late():
    progress = Progress()
    progress.rest_until("on_event", due=0.0, stall_after=1.0)

    progress.begin("on_event", 5.0, 1.0)

    assert progress.late(5.5) == []


def test_pieces_of_work_are_counted_with_the_time_of_the_last():
    progress = Progress()
    assert (progress.steps, progress.last_at) == (0, None)

    progress.done(3.0)
    progress.done(7.5)

    assert (progress.steps, progress.last_at) == (2, 7.5)
