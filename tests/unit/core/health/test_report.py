"""Health checks of a program, result by result."""

from __future__ import annotations

import pytest

from opmas.core.agent.terms import Health
from opmas.core.health.report import Probing, worst

HINT = "see the journal"


def after(probing: Probing, results: str) -> Probing:
    for result in results:
        probing = probing.after(passed=result == "+")
    return probing


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ("", Health.UNKNOWN),
        ("+", Health.HEALTHY),
        ("-", Health.DEGRADED),
        ("--", Health.DEGRADED),
        ("---", Health.UNHEALTHY),
        ("--+", Health.HEALTHY),
        ("---+", Health.UNHEALTHY),
        ("---++", Health.HEALTHY),
        ("---+-+", Health.UNHEALTHY),
        ("---+-++", Health.HEALTHY),
        ("---++-", Health.DEGRADED),
        ("---+-", Health.UNHEALTHY),
    ],
)
def test_results_in_a_row_decide(results, status):
    probing = after(Probing(threshold=3, needed=2), results)

    assert probing.report(HINT).status is status


def test_a_failure_says_how_often_and_where_to_read_more():
    assert after(Probing(3), "-").report(HINT).message == f"the health check failed once: {HINT}"
    message = after(Probing(3), "---").report(HINT).message
    assert message == f"the health check failed 3 times in a row: {HINT}"


def test_one_on_its_way_back_says_what_is_missing():
    message = after(Probing(1, needed=3), "-++").report(HINT).message

    assert message == "the health check passed 2 times in a row; well again after 3"


def test_what_is_not_known_is_worse_than_well_and_better_than_bad():
    assert worst([]) is Health.HEALTHY
    assert worst([Health.HEALTHY, Health.UNKNOWN]) is Health.UNKNOWN
    assert worst([Health.UNKNOWN, Health.DEGRADED]) is Health.DEGRADED
    assert worst([Health.UNHEALTHY, Health.DEGRADED, Health.UNKNOWN]) is Health.UNHEALTHY
