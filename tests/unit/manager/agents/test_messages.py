"""What an agent says of itself, believed only as far as it is of the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.core.agent.terms import Health
from opmas.core.health.report import Check, Report
from opmas.manager.agents.messages import (
    CHECKS_LIMIT,
    TEXT_LIMIT,
    parse_health,
    parse_metrics,
    parse_progress,
)
from opmas.manager.control.wire import WireError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


def test_a_health_report_is_read_with_its_checks():
    checks = [{"name": "disk", "status": "unhealthy", "code": "full", "message": "is full"}]

    report = parse_health({"status": "degraded", "message": "so so", "checks": checks})

    check = Check("disk", Health.UNHEALTHY, "full", "is full")
    assert report == Report(Health.DEGRADED, "so so", (check,))


def test_texts_and_checks_are_cut_to_size():
    checks = [{"name": "x" * 10_000, "status": "healthy"}] * 1000

    report = parse_health({"status": "healthy", "message": "m" * 10_000, "checks": checks})

    assert len(report.message) == len(report.checks[0].name) == TEXT_LIMIT
    assert len(report.checks) == CHECKS_LIMIT


@given(st.dictionaries(st.sampled_from(["status", "message", "checks"]), json_values))
def test_no_health_message_does_anything_but_be_read_or_refused(params):
    try:
        report = parse_health(params)
    except WireError:
        return

    assert report.status in Health


def test_checks_within_checks_are_named_by_their_way_down():
    pool = {"name": "pool", "status": "unknown", "checks": [{"name": "a", "status": "healthy"}]}
    checks = [{"name": "db", "status": "degraded", "checks": [pool]}]

    report = parse_health({"status": "degraded", "checks": checks})

    assert [c.name for c in report.checks] == ["db", "db/pool", "db/pool/a"]
    assert report.checks[1].status is Health.UNKNOWN


def test_a_tree_of_checks_is_cut_to_size():
    tree: dict[str, object] = {"name": "x", "status": "healthy"}
    for _ in range(10):
        tree = {"name": "x", "status": "healthy", "checks": [tree] * 9}

    report = parse_health({"status": "healthy", "checks": [tree]})

    assert len(report.checks) == CHECKS_LIMIT
    assert max(c.name.count("/") for c in report.checks) < 4


@pytest.mark.parametrize(
    ("progress", "read"),
    [
        (None, None),
        ({"steps": 0, "age": None}, (0, None)),
        ({"steps": 7, "age": 1.5}, (7, 1.5)),
        ({"steps": 7, "age": "long"}, (7, None)),
        ({"steps": 7}, (7, None)),
    ],
)
def test_how_far_the_work_is_is_read(progress, read):
    assert parse_progress({"progress": progress}) == read


@pytest.mark.parametrize("progress", [7, [], {}, {"steps": -1}, {"steps": True}, {"steps": "7"}])
def test_what_is_no_progress_is_refused(progress):
    with pytest.raises(WireError):
        parse_progress({"progress": progress})


@given(st.dictionaries(st.just("metrics"), json_values))
def test_no_metrics_message_does_anything_but_be_read_or_refused(params):
    try:
        metrics = parse_metrics(params)
    except WireError:
        return

    assert all(isinstance(m["name"], str) for m in metrics)


@pytest.mark.parametrize("params", [{}, {"metrics": 7}, {"metrics": [1]}, {"metrics": [{}]}])
def test_metrics_that_are_none_are_refused(params):
    with pytest.raises(WireError):
        parse_metrics(params)
