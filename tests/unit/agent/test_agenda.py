"""What is to be done next."""

from opmas.agent.agenda import NEVER, QUEUE_EVENTS, Agenda, Step
from opmas.agent.progress import Progress


def test_steps_are_due_in_order_of_urgency():
    agenda = Agenda(Progress())

    agenda.want(Step.RUN, 5.0, 10.0)
    agenda.want(Step.CONFIG, 5.0, 10.0)
    agenda.want(Step.HEALTH, 9.0, 10.0)

    assert agenda.due(5.0) == [Step.CONFIG, Step.RUN]
    assert agenda.next_at() == 5.0


def test_a_busy_step_is_not_begun_twice():
    agenda = Agenda(Progress())
    agenda.want(Step.EVENT, 0.0, 10.0)
    agenda.begin(Step.EVENT, 0.0, 10.0)

    agenda.want(Step.EVENT, 1.0, 10.0)

    assert agenda.due(5.0) == []
    assert agenda.next_at() == NEVER
    agenda.end(Step.EVENT)
    assert agenda.due(5.0) == [Step.EVENT]


def test_a_wanted_step_that_is_never_begun_is_late():
    progress = Progress()
    agenda = Agenda(progress)

    agenda.want(Step.EVENT, 0.0, 10.0)

    assert progress.late(11.0) == ["on_event: due, but not begun for 1.0 s beyond its limit"]


def test_a_waiting_step_can_be_made_sooner_never_later():
    agenda = Agenda(Progress())
    agenda.want(Step.RUN, 60.0, 10.0)

    agenda.want_sooner(Step.RUN, 5.0)
    agenda.want_sooner(Step.RUN, 90.0)
    agenda.want_sooner(Step.HEALTH, 1.0)

    assert agenda.next_at() == 5.0


def test_too_many_events_drop_the_oldest_that_waits():
    agenda = Agenda(Progress())
    agenda.begin(Step.EVENT, 0.0, 10.0)

    for number in range(QUEUE_EVENTS + 1):
        agenda.add_event({"n": number})

    assert [event["n"] for event in list(agenda.events)[:3]] == [0, 2, 3]
    assert agenda.events_dropped == 1
