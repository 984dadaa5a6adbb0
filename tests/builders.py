"""Values for tests, with defaults for what a test does not care about."""

from __future__ import annotations

from typing import Any

from opmas.core.agent.state import Agent
from opmas.core.agent.terms import AgentSpec, Desired, Phase, Reason, unit_name
from opmas.core.health.assessment import judged
from opmas.core.unit.state import UnitState

CLD_EXITED, CLD_KILLED = 1, 2


def spec(name: str = "web", **changes: Any) -> AgentSpec:
    return AgentSpec(**{"name": name, "package": "nap", **changes})


def agent(name: str = "web", **changes: Any) -> Agent:
    return Agent(**{"spec": spec(name), **changes})


def running(name: str = "web", **changes: Any) -> Agent:
    """An agent that has run since instant 0."""
    state = {"phase": Phase.RUNNING, "reason": Reason.READY, "unit": active(name)}
    subject = agent(name, **{**state, **changes})
    return judged(subject, subject, subject.since)


def stopped(name: str = "web", **changes: Any) -> Agent:
    wish = spec(name, desired=Desired.STOPPED)
    return agent(
        name, **{"spec": wish, "phase": Phase.STOPPED, "reason": Reason.REQUESTED, **changes}
    )


def unit(active_state: str, sub_state: str, name: str = "web", **changes: Any) -> UnitState:
    return UnitState(unit_name(name), active_state=active_state, sub_state=sub_state, **changes)


def active(name: str = "web", **changes: Any) -> UnitState:
    return unit("active", "running", name, **{"main_pid": 100, **changes})


def activating(name: str = "web", **changes: Any) -> UnitState:
    return unit("activating", "start", name, **changes)


def deactivating(name: str = "web", **changes: Any) -> UnitState:
    return unit("deactivating", "stop-sigterm", name, **changes)


def inactive(name: str = "web", **changes: Any) -> UnitState:
    return unit("inactive", "dead", name, **changes)


def killed(name: str = "web", signal: int = 9, at: float = 1.0, **changes: Any) -> UnitState:
    """The unit as systemd 252 shows it for a moment after its main process was killed."""
    end = {"result": "signal", "exec_main_code": CLD_KILLED, "exec_main_status": signal}
    return unit("failed", "failed", name, **{**end, "exec_main_exit_at": at, **changes})


def exited(name: str = "web", status: int = 1, at: float = 1.0, **changes: Any) -> UnitState:
    end = {"result": "exit-code", "exec_main_code": CLD_EXITED, "exec_main_status": status}
    return unit("failed", "failed", name, **{**end, "exec_main_exit_at": at, **changes})


def auto_restart(name: str = "web", **changes: Any) -> UnitState:
    return unit("activating", "auto-restart", name, **changes)
