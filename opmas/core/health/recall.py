"""What of an agent's health is saved, so that a restart of the manager does not change it.

Only what rarely changes: the status that the agent and its probe last gave, the status that is
shown, the signs of pressure, the times of its last exits. The words come again with the next
report.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opmas.core.agent.terms import Health
from opmas.core.health.damping import Damping
from opmas.core.health.report import Report
from opmas.core.health.vitals import Said, Sign, Vitals

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent

BEFORE = "as it said before the manager began"


def dump_health(agent: Agent) -> dict[str, Any]:
    """Return what is saved of the agent's health, as a JSON object."""
    vitals, damping = agent.vitals, agent.damping
    return {
        "status": damping.status,
        "since": damping.since,
        "changes": list(damping.changes),
        "reported": None if vitals.reported is None else vitals.reported.report.status,
        "probed": None if vitals.probed is None else vitals.probed.report.status,
        "passed": vitals.passed,
        "exits": list(vitals.exits),
        "hung_at": vitals.hung_at,
        "signs": {sign.code: sign.message for sign in vitals.signs},
        "package": vitals.package,
        "run": vitals.run,
    }


def with_health(agent: Agent, saved: dict[str, Any] | None) -> Agent:
    """Return the agent with the health that was saved; older versions saved none."""
    if saved is None:
        return agent
    status, since = saved["status"], saved["since"]
    vitals = Vitals(
        reported=_said(saved["reported"], since),
        probed=_said(saved["probed"], since),
        passed=saved["passed"],
        exits=tuple(saved["exits"]),
        hung_at=saved["hung_at"],
        signs=tuple(Sign(code, message) for code, message in saved.get("signs", {}).items()),
        signs_at=since,
        package=saved.get("package", ""),
        run=saved.get("run", ""),
    )
    told = None if status is None else Health(status)
    damping = Damping(told, since, tuple(saved["changes"]))
    return replace(agent, vitals=vitals, damping=damping)


def unheard(agent: Agent, now: float) -> Agent:
    """Return the agent as it is to a manager that has just begun: nobody is connected yet."""
    if agent.vitals.linked:
        return agent
    return replace(agent, vitals=replace(agent.vitals, linked=False, linked_at=now))


def _said(status: str | None, at: float) -> Said | None:
    if status is None:
        return None
    message = "" if status == Health.HEALTHY else BEFORE
    return Said(Report(Health(status), message), at)
