"""What needs somebody, on the terminal."""

from __future__ import annotations

from opmas.cli.alerts import counted, render_alerts
from opmas.cli.schemas.host import ALERT
from opmas.core.recovery.alerts import Code, Severity
from tests.unit.cli.builders import view

ALERTS = [
    {
        "alert": "quarantined",
        "severity": "critical",
        "subject": "agent/web",
        "message": "it failed 6 times in a row",
        "since": "2026-01-31T17:58:00.000000Z",
    }
]


def test_the_words_of_the_schema_are_those_of_the_core():
    assert set(ALERT["properties"]["alert"]["enum"]) == {str(code) for code in Code}
    assert set(ALERT["properties"]["severity"]["enum"]) == {str(each) for each in Severity}


def test_each_alert_has_a_line():
    lines = render_alerts({"alerts": ALERTS}, view()).split("\n")

    assert len(lines) == 2
    assert lines[1].split() == [
        *("critical", "quarantined", "agent/web", "2m", "it", "failed", "6", "times"),
        *("in", "a", "row"),
    ]


def test_without_any_it_says_so():
    assert render_alerts({"alerts": []}, view()) == "no alert is up"


def test_the_status_counts_them():
    some = counted({"info": 0, "warning": 2, "critical": 1})

    assert some == "3 alerts: 1 critical, 2 warning: `opmas alert list`"
    assert counted({}) == counted({"info": 0}) == ""
