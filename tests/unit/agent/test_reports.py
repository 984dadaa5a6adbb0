"""When an agent says how it does and what it counts: seldom, and together."""

from __future__ import annotations

import pytest

from opmas.agent.notify import Notifier
from opmas.agent.progress import Progress
from opmas.agent.reports import HEALTH_EVERY, TOGETHER, Reports


class Wire:
    """A connected link that notes what is sent."""

    online = True

    def __init__(self):
        self.sent = []

    def health(self, _health):
        self.sent.append("health")

    def metrics(self, _samples):
        self.sent.append("metrics")
        return 0

    def take(self):
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def reports(wire):
    reports = Reports(wire, Notifier(), Progress(), list)
    reports.resend(0.0)
    reports.tick(0.0)
    assert wire.take() == ["health", "metrics"]
    return reports


def test_what_is_due_a_moment_later_goes_along(reports, wire):
    reports.tick(15.01)  # a loop wakes up a little late
    assert wire.take() == ["metrics"]

    reports.tick(HEALTH_EVERY)

    assert wire.take() == ["health", "metrics"]


def test_a_manager_with_many_agents_hears_from_each_less_often_and_all_at_once(reports, wire):
    reports.pace = 60.0

    reports.tick(15.0)  # the metrics are due by what was true before
    assert wire.take() == ["health", "metrics"]

    reports.tick(15.0 + 29.0)
    assert wire.take() == []
    reports.tick(15.0 + 60.0)
    assert wire.take() == ["health", "metrics"]


def test_nothing_is_sent_before_anything_is_due(reports, wire):
    reports.tick(15.0 - TOGETHER / 2)

    assert wire.take() == []


def test_the_next_look_is_when_the_first_is_due(reports, wire):
    assert reports.next_at() == 15.0
