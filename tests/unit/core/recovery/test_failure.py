"""What follows when systemd gave an agent up."""

from __future__ import annotations

import pytest

from opmas.core.agent.terms import Phase, Reason
from opmas.core.recovery.failure import reason_of
from opmas.core.recovery.ladder import Inputs, backoff, climb
from opmas.core.recovery.policy import Policy
from tests.builders import exited, inactive, killed

POLICY = Policy()


def inputs(failures: int = 1, **changes: object) -> Inputs:
    return Inputs(**{"failures": failures, "cause": Reason.CRASHED, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        (exited(), Reason.CRASHED),
        (killed(), Reason.CRASHED),
        (killed(signal=6, result="watchdog"), Reason.WATCHDOG),
        (killed(result="timeout"), Reason.TIMEOUT),
        (killed(result="oom-kill"), Reason.OUT_OF_MEMORY),
        (exited(result="start-limit-hit"), Reason.START_LIMIT),
        (inactive(), Reason.UNIT_ERROR),
        (None, Reason.UNIT_ERROR),
    ],
)
def test_the_reason_is_read_from_the_unit(unit, reason):
    assert reason_of(unit) is reason


def test_a_config_error_is_final_at_the_first_failure():
    verdict = climb("web", inputs(gives_up=True), POLICY)

    assert (verdict.phase, verdict.delay) == (Phase.FAILED, None)


@pytest.mark.parametrize(("failures", "phase"), [(5, Phase.BACKOFF), (6, Phase.QUARANTINED)])
def test_the_count_decides_on_quarantine(failures, phase):
    assert climb("web", inputs(failures), POLICY).phase is phase


@pytest.mark.parametrize(("failures", "base"), [(1, 10), (2, 20), (3, 40), (5, 160), (9, 300)])
def test_the_delay_doubles_up_to_its_limit(failures, base):
    delay = backoff("web", failures, POLICY)

    assert base * 0.8 <= delay <= base * 1.2


def test_a_huge_count_of_failures_does_not_overflow():
    assert backoff("web", 10_000, POLICY) <= 360


def test_agents_that_fail_together_do_not_come_back_together():
    delays = {backoff(f"web-{n}", 1, POLICY) for n in range(100)}

    assert len(delays) == 100
    assert max(delays) - min(delays) > 2
