"""What an agent says of itself, believed only as far as it is of the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.core.agent import Health
from opmas.core.health import Check, Report
from opmas.manager.link import CHECKS_LIMIT, TEXT_LIMIT, parse_health, parse_metrics
from opmas.manager.wire import WireError

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
