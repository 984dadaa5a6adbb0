"""What the event log is told about an agent, seen by comparing it before and after a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.core.agent.state import Agent, Pending, health
from opmas.core.agent.terms import Phase
from opmas.core.events import Announce
from opmas.core.health.assessment import UP
from opmas.core.unit.exits import code_name, signal_of

if TYPE_CHECKING:
    from opmas.core.unit.state import UnitState


def exit_news(agent: Agent, unit: UnitState | None) -> Announce | None:
    """Return the news of an exit nobody asked for, seen at this edge for the first time."""
    if unit is None or unit.result == "success" or unit.exec_main_code == 0:
        return None
    last = agent.last_exit
    if last is not None and unit.exec_main_exit_at == last.exec_main_exit_at:
        return None
    data: dict[str, Any] = {
        "code": code_name(unit),
        "status": unit.exec_main_status,
        "signal": signal_of(unit),
        "result": unit.result,
        "oom": unit.result == "oom-kill",
        "main_pid": agent.unit.main_pid if agent.unit is not None else 0,
    }
    return Announce("opmas.agent.exited", f"agent/{agent.name}", data)


def phase_news(before: Agent, after: Agent) -> tuple[Announce, ...]:
    """Return the news of what changed between the two, in the order in which it makes sense."""
    subject = f"agent/{after.name}"
    news: list[Announce] = []
    if before.held is not after.held:
        kind = "opmas.agent.held" if after.held else "opmas.agent.released"
        news.append(Announce(kind, subject, {"by": _by_whom(after)}))
    if before.phase is not after.phase or before.reason is not after.reason:
        data: dict[str, Any] = {"from": before.phase, "to": after.phase, "reason": after.reason}
        news.append(Announce("opmas.agent.phase", subject, data))
    was, now_is = health(before), health(after)
    both_up = before.phase in UP and after.phase in UP  # coming and going is the phase's news
    if both_up and was.status is not now_is.status:
        data = {"from": was.status, "to": now_is.status, "message": now_is.message}
        news.append(Announce("opmas.agent.health", subject, data))
    return tuple(news)


def _by_whom(after: Agent) -> str:
    """Return who put the agent on hold or took it off."""
    came_up = after.phase in {Phase.STARTING, Phase.RUNNING} and after.pending is Pending.NOTHING
    return "systemctl" if after.held or came_up else "opmas"
