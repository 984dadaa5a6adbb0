"""What an agent counts."""

import pytest

from opmas.agent.metrics import Metrics


def test_a_counter_counts_per_labels():
    metrics = Metrics()
    counter = metrics.counter("requests_total", "requests served")

    counter.inc(code=200)
    counter.inc(2, code=200)
    counter.inc(code=500)

    assert metrics.samples() == [
        {"name": "requests_total", "kind": "counter", "labels": {"code": "200"}, "value": 3},
        {"name": "requests_total", "kind": "counter", "labels": {"code": "500"}, "value": 1},
    ]


def test_a_counter_refuses_to_shrink():
    with pytest.raises(ValueError, match="it only grows"):
        Metrics().counter("requests_total").inc(-1)


def test_a_gauge_goes_up_and_down_and_away():
    metrics = Metrics()
    gauge = metrics.gauge("queue_length", unit="")
    gauge.set(5)
    gauge.inc(-2)
    gauge.set(1, queue="other")

    gauge.remove(queue="other")

    assert metrics.samples() == [
        {"name": "queue_length", "kind": "gauge", "labels": {}, "value": 3}
    ]


def test_a_histogram_has_cumulative_buckets_with_inclusive_bounds():
    metrics = Metrics()
    histogram = metrics.histogram("wait_seconds", buckets=[0.1, 1])

    histogram.observe(0.1)
    histogram.observe(0.5)
    histogram.observe(7)

    assert metrics.samples() == [
        {
            "name": "wait_seconds",
            "kind": "histogram",
            "labels": {},
            "buckets": [[0.1, 1], [1.0, 2]],
            "sum": 7.6,
            "count": 3,
        }
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_left_out(value):
    metrics = Metrics()

    metrics.gauge("g").set(value)
    metrics.counter("c_total").set_total(value)
    metrics.histogram("h").observe(value)

    assert metrics.samples() == []


@pytest.mark.parametrize("name", ["", "9lives", "with-hyphen", "with space", "naïve", "a\n"])
def test_a_name_that_is_no_prometheus_name_is_refused(name):
    with pytest.raises(ValueError, match="as a metric's name"):
        Metrics().gauge(name)


def test_a_label_that_is_no_prometheus_label_is_refused():
    gauge = Metrics().gauge("g")

    with pytest.raises(ValueError, match="as a label"):
        gauge.set(1, **{"a-b": 1})


def test_the_same_name_is_the_same_metric_and_never_another_kind():
    metrics = Metrics()
    counter = metrics.counter("x_total")

    assert metrics.counter("x_total") is counter
    with pytest.raises(ValueError, match="cannot make x_total a gauge: it is a counter"):
        metrics.gauge("x_total")


@pytest.mark.parametrize("buckets", [[], [1, 1], [2, 1]])
def test_buckets_must_rise(buckets):
    with pytest.raises(ValueError, match="must rise"):
        Metrics().histogram("h", buckets=buckets)
