"""Why an agent is in its state, in sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.agent.explain import NEXT, REASONS, explain, message
from opmas.core.agent.state import Pending, Then
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.health.report import Check, Report
from opmas.core.health.vitals import Said, Vitals
from opmas.core.recovery.decided import Decided
from opmas.core.recovery.ladder import Inputs, Step, climb
from opmas.core.recovery.policy import Policy
from tests.builders import active, agent, exited, killed, running, spec, stopped

POLICY = Policy()


def test_every_reason_and_phase_has_a_sentence():
    assert set(REASONS) == set(Reason)
    assert set(NEXT) == set(Phase)


def test_a_running_agent_is_explained_by_what_systemd_and_it_say():
    report = Report(Health.DEGRADED, "", (Check("disk", Health.DEGRADED, "", "disk is full"),))
    vitals = Vitals(reported=Said(report, 0.0))
    subject = running(unit=active(status_text="12 readings"), vitals=vitals)

    text = explain(subject, 5.0, POLICY)

    assert text.summary == 'agent "web" is running: it said that it is ready'
    assert "It is wanted running." in text.sentences
    assert any('"12 readings"' in s for s in text.sentences)
    assert "Its health is degraded: disk: disk is full." in text.sentences


def test_what_an_agent_said_before_it_died_is_told_as_the_last_of_it():
    died = killed(status_text="run() failed: no such table")

    text = explain(agent(phase=Phase.BACKOFF, unit=died), 0.0, POLICY)

    assert 'The last that it said was "run() failed: no such table".' in text.sentences
    assert "it says" not in " ".join(text.sentences)


@pytest.mark.parametrize("most", [0, 1, 5])
def test_how_many_failures_lead_to_quarantine_is_said_as_the_ladder_decides(most):
    policy = Policy(max_failures=most)
    last = next(n for n in range(1, 9) if rung(n, policy) is Step.QUARANTINE)

    well = explain(running(), 0.0, policy)
    failed = explain(waiting(), 0.0, policy)

    assert f"at the {ORDINALS[last]} such failure in a row" in well.ladder[0]
    assert any(f"the {ORDINALS[last]} time" in sentence for sentence in failed.sentences)


ORDINALS = {1: "first", 2: "second", 6: "sixth"}


def rung(failures, policy):
    inputs = Inputs(failures, Reason.CRASHED, max_failures=policy.max_failures)
    return climb("web", inputs, policy).rung


def test_a_held_agent_is_told_who_may_take_it_back():
    text = explain(agent(phase=Phase.STOPPED, reason=Reason.HELD, held=True), 0.0, POLICY)

    assert "opmas agent start web" in text.next
    assert "systemctl start opmas-agent@web.service" in text.next


def test_a_backoff_says_when_and_how_often():
    waiting = agent(
        phase=Phase.BACKOFF, reason=Reason.CRASHED, failures=2, retry_at=30.0, last_exit=killed()
    )

    text = explain(waiting, 10.0, POLICY)

    assert text.next == "It is started again in 20 s; it is quarantined if it fails 4 more times."
    assert any("was killed by SIGKILL" in s for s in text.sentences)


def test_a_config_error_names_the_status():
    text = explain(
        agent(phase=Phase.FAILED, reason=Reason.EXIT_CONFIG, last_exit=exited(status=78)),
        0.0,
        POLICY,
    )

    assert "Status 78" in text.next
    assert any("exited with status 78" in s for s in text.sentences)


@pytest.mark.parametrize(
    ("then", "part"),
    [(Then.START, "started again"), (Then.REMOVE, "removed"), (Then.PURGE, "removed")],
)
def test_what_follows_a_stop_is_said(then, part):
    subject = running(phase=Phase.STOPPING, pending=Pending.STOP, then=then)

    assert part in explain(subject, 0.0, POLICY).next


def test_a_queued_agent_says_what_it_waits_for():
    queued = agent(
        spec=spec(after=("db",)), phase=Phase.STARTING, pending=Pending.QUEUED, reason=Reason.BOOT
    )

    assert "waits for its turn" in message(queued)
    assert "It is started after: db." in explain(queued, 0.0, POLICY).sentences


def test_an_agent_that_runs_against_its_wish_is_told_what_that_means():
    subject = running(spec=spec(desired=Desired.STOPPED), reason=Reason.SYSTEMCTL)

    assert "not started at the next boot" in explain(subject, 0.0, POLICY).next


def test_a_refusal_is_told_in_the_words_of_who_refused():
    refused = agent(phase=Phase.FAILED, reason=Reason.UNIT_ERROR, message="bad setting")

    assert message(refused).endswith(": bad setting")


def decided(**inputs):
    given = {"failures": 1, "cause": "crashed", "max_failures": 5, **inputs}
    return Decided(0.0, "backoff", "crashed", 10.0, (), given)


def waiting(**changes):
    given = {"phase": Phase.BACKOFF, "reason": Reason.CRASHED, "failures": 1, "retry_at": 30.0}
    return agent(**{**given, **changes})


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        ({}, "it is started again after"),
        ({"failures": 5}, "`quarantined`"),
        ({"suspect": 7, "undo_after": 2}, "the change is undone"),
        ({"suspect": 7, "failures": 2, "undo_after": 2}, "it is started again after"),
        ({"gives_up": True}, "`failed`"),
    ],
)
def test_what_one_more_failure_leads_to_is_said(inputs, part):
    text = explain(waiting(decisions=(decided(**inputs),)), 0.0, POLICY)

    assert part in text.ladder[0]


def test_a_running_agent_says_when_its_failures_are_forgotten():
    subject = running(failures=2, well_since=100.0, decisions=(decided(failures=2),))

    text = explain(subject, 200.0, POLICY)
    not_well = explain(replace(subject, well_since=None), 200.0, POLICY)

    once = explain(replace(subject, failures=1), 200.0, POLICY)

    assert text.ladder[0] == "Its 2 failures are forgotten in 500 s, if it stays well."
    assert once.ladder[0] == "Its 1 failure is forgotten in 500 s, if it stays well."
    assert not_well.ladder[0] == "Its 2 failures are forgotten after 600 s of health."


def test_an_agent_that_never_failed_is_told_what_would_be_done():
    text = explain(running(), 0.0, POLICY)

    assert "after 10 s" in text.ladder[0]
    assert explain(stopped(), 0.0, POLICY).ladder == ()


def test_a_quarantined_agent_says_when_it_is_probed():
    subject = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6, retry_at=90.0)

    assert "tried once in 80 s" in explain(subject, 10.0, POLICY).next
