"""`opmas alert list`: what needs somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import Exit
from opmas.cli.moments import age
from opmas.cli.text import plural, render_table

if TYPE_CHECKING:
    from opmas.cli.session import Session, View

STYLES: Final = {"critical": "bad", "warning": "warn", "info": "dim"}


def list_alerts(session: Session) -> Exit:
    """Show the alerts that are up, what matters most first."""
    session.show("opmas.alert-list/v1", session.manager.call("alert.list"), render_alerts)
    return Exit.OK


def render_alerts(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each alert."""
    if not document["alerts"]:
        return "no alert is up"
    head = ("SEVERITY", "ALERT", "SUBJECT", "SINCE", "MESSAGE")
    rows = [
        (
            (alert["severity"], STYLES.get(alert["severity"], "")),
            (alert["alert"], ""),
            (alert["subject"], "bold"),
            (age(alert["since"], view.now), "dim"),
            (alert["message"], ""),
        )
        for alert in document["alerts"]
    ]
    return render_table(head, rows, view.width, view.palette)


def counted(counts: dict[str, int]) -> str:
    """Return how many alerts are up in one line, nothing when none is."""
    told = [f"{counts[severity]} {severity}" for severity in STYLES if counts.get(severity)]
    total = sum(counts.values())
    return f"{plural(total, 'alert')}: {', '.join(told)}: `opmas alert list`" if told else ""
