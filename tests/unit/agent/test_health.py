"""The health an agent reports."""

import pytest

from opmas.agent.health import Check, Health, Status, combined


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([], "healthy"),
        (["healthy", "degraded"], "degraded"),
        (["unhealthy", "degraded", "healthy"], "unhealthy"),
    ],
)
def test_the_worst_check_decides(statuses, worst):
    checks = [Check(f"c{n}", status) for n, status in enumerate(statuses)]

    health = Health(checks=checks)

    assert health.status is Status(worst)


def test_a_health_without_a_message_says_what_its_worst_checks_say():
    health = Health(
        checks=[
            Check("disk", "degraded", "disk-slow", "slow"),
            Check("db", "unhealthy", "db-away", "cannot reach it"),
            Check("queue", "unhealthy", "queue-full"),
        ]
    )

    assert health.message == "db: cannot reach it; queue: queue-full"


def test_the_status_of_a_health_is_never_better_than_its_checks():
    health = Health("healthy", "fine", [Check("db", "unhealthy")])

    assert health.status is Status.UNHEALTHY


def test_parts_are_combined_with_all_their_checks():
    parts = [
        Health.healthy("all well"),
        Health(checks=[Check("run", "degraded", "dependency-away", "no database")]),
    ]

    health = combined(parts)

    assert health.as_dict() == {
        "status": "degraded",
        "message": "run: no database",
        "checks": [
            {
                "name": "run",
                "status": "degraded",
                "code": "dependency-away",
                "message": "no database",
            }
        ],
    }


def test_nothing_said_is_healthy():
    assert combined([]).as_dict() == {"status": "healthy", "message": "", "checks": []}


def test_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="'fine' is not a valid Status"):
        Check("db", "fine")


def test_a_novel_is_cut():
    health = Health.degraded("x" * 10_000)

    assert len(health.message) == 500
    assert health.message.endswith("…")


def test_checks_within_checks_are_told_by_their_way_down_and_the_worst_decides():
    pool = Check("pool", "unknown", checks=[Check("writer", "degraded", "slow")])
    database = Check("database", checks=[pool])

    health = Health(checks=[database, Check("queue")])

    assert health.status is Status.DEGRADED
    told = {check["name"]: check["status"] for check in health.as_dict()["checks"]}
    assert told == {
        "database": "degraded",
        "database/pool": "degraded",
        "database/pool/writer": "degraded",
        "queue": "healthy",
    }


def test_what_is_not_known_is_worse_than_well_and_better_than_bad():
    assert Health(checks=[Check("a", "unknown"), Check("b")]).status is Status.UNKNOWN
    assert Health(checks=[Check("a", "unknown"), Check("b", "degraded")]).status is Status.DEGRADED
    assert Health.unknown("no answer yet").as_dict()["status"] == "unknown"


def test_checks_within_checks_are_told_once_however_often_parts_are_combined():
    pool = Check("pool", "unhealthy", "pool-empty")
    said = Health(checks=[Check("database", checks=[pool])])

    health = combined([combined([said, Health.healthy()])])

    assert [check.name for check in health.checks] == ["database", "database/pool"]
