"""The part of an agent's state that is saved: what systemd cannot tell after a restart of ours.

Instants are the machine's monotonic time, good within one boot only; the store keeps the boot ID
beside them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from opmas.core.agent.state import Agent, Pending, Then
from opmas.core.agent.terms import AgentSpec, Desired, Limits, Phase, Reason
from opmas.core.health.recall import dump_health, with_health
from opmas.core.recovery.alteration import dump_alteration, load_alteration
from opmas.core.recovery.decided import Cure, Remedy, dump_decided, load_decided
from opmas.core.recovery.policy import dump_recovery, load_recovery
from opmas.core.unit.state import UnitState

_PLAIN: Final = ("since", "message", "held", "failures", "retry_at", "started_with")
# Not in what older versions saved.
_LATER: Final[dict[str, Any]] = {
    "paused": False,
    "refusals": 0,
    "failing_since": None,
    "renewed_at": None,
    "well_since": None,
}
_ENUMS: Final = ("phase", "reason", "pending", "then")
_KEPT: Final = (*_PLAIN, *_LATER, *_ENUMS, "last_exit", "decisions", "altered", "remedy")


def dump_condition(agent: Agent) -> dict[str, Any]:
    """Return the condition as a JSON object."""
    plain = {name: getattr(agent, name) for name in (*_PLAIN, *_LATER)}
    last_exit = None if agent.last_exit is None else asdict(agent.last_exit)
    enums = {name: str(getattr(agent, name)) for name in _ENUMS}
    return {
        **plain,
        **enums,
        "last_exit": last_exit,
        "health": dump_health(agent),
        "decisions": [dump_decided(each) for each in agent.decisions],
        "altered": None if agent.altered is None else dump_alteration(agent.altered),
        "remedy": None if agent.remedy is None else asdict(agent.remedy),
    }


def differs(old: Agent, new: Agent) -> bool:
    """Return whether what is saved of the two differs; made for a comparison at each event."""
    if any(getattr(old, name) != getattr(new, name) for name in _KEPT):
        return True
    return dump_health(old) != dump_health(new)


def load_condition(spec: AgentSpec, saved: dict[str, Any]) -> Agent:
    """Return the agent as it was saved; its unit is to be observed anew."""
    last_exit, altered = saved.get("last_exit"), saved.get("altered")
    remedy = saved.get("remedy")
    agent = Agent(
        spec=spec,
        **{name: saved[name] for name in _PLAIN},
        **{name: saved.get(name, otherwise) for name, otherwise in _LATER.items()},
        phase=Phase(saved["phase"]),
        reason=Reason(saved["reason"]),
        pending=Pending(saved["pending"]),
        then=Then(saved["then"]),
        last_exit=None if last_exit is None else UnitState(**last_exit),
        decisions=tuple(load_decided(each) for each in saved.get("decisions", ())),
        altered=None if altered is None else load_alteration(altered),
        remedy=None if remedy is None else Remedy(Cure(remedy["cure"]), remedy["target"]),
    )
    return with_health(agent, saved.get("health"))


def dump_spec(spec: AgentSpec) -> dict[str, Any]:
    """Return the specification as a JSON object."""
    return {**asdict(spec), "recovery": dump_recovery(spec.recovery)}


def load_spec(saved: dict[str, Any]) -> AgentSpec:
    """Return the specification that was saved."""
    return AgentSpec(
        name=saved["name"],
        package=saved["package"],
        version=saved.get("version", ""),
        desired=Desired(saved["desired"]),
        config=saved["config"],
        limits=Limits(**saved["limits"]),
        grants=tuple(saved["grants"]),
        after=tuple(saved["after"]),
        recovery=load_recovery(saved.get("recovery", {})),
    )
