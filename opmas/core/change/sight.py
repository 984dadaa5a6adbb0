"""One look at an agent for the judgement of a change: its state here, its figures from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.change.evidence import Sighting
from opmas.core.health.assessment import UP
from opmas.core.health.report import HEALTHY
from opmas.core.unit.exits import code_name

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent


@dataclass(frozen=True, slots=True)
class Figures:
    """What the kernel and the agent's own events say of it; None where nobody does."""

    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    memory_max: int | None = None
    oom_kills: int | None = None
    throttled: int | None = None
    errors: int | None = None
    progress: int | None = None
    exits_lately: int | None = None  # by itself, in the last hour


NO_FIGURES = Figures()


FRESH: Final = frozenset({Reason.BOOT, Reason.REQUESTED, Reason.CHANGE, Reason.DEPENDENCY})


def is_fresh_start(agent: Agent) -> bool:
    """Return whether the agent is on its way up and has not failed at it."""
    return agent.phase is Phase.STARTING and agent.reason in FRESH and not agent.failures


def sight(agent: Agent, now: float, figures: Figures = NO_FIGURES) -> Sighting:
    """Return what is known of the agent at this instant."""
    # What it says itself, not what follows from other facts: those have rules of their own. What
    # it says while it starts is no health yet.
    said = agent.reported or HEALTHY
    own_health = said.status if agent.phase in UP else Health.UNKNOWN
    unit, last = agent.unit, agent.last_exit
    return Sighting(
        at=now,
        phase=agent.phase,
        reason=agent.reason,
        health=own_health,
        since=agent.since,
        codes=tuple(c.code for c in said.checks if c.status is not Health.HEALTHY),
        desired=agent.spec.desired,
        held=agent.held,
        restarts=0 if unit is None else unit.n_restarts,
        failures=agent.failures,
        invocation="" if unit is None else unit.invocation_id,
        exit_at=0.0 if last is None else last.exec_main_exit_at,
        exit_code="" if last is None else code_name(last),
        exit_status=None if last is None else last.exec_main_status,
        result="" if last is None else last.result,
        cpu_seconds=figures.cpu_seconds,
        memory_bytes=figures.memory_bytes,
        memory_max=figures.memory_max,
        oom_kills=figures.oom_kills,
        throttled=figures.throttled,
        errors=figures.errors,
        progress=figures.progress,
        exits_lately=figures.exits_lately,
        fresh=is_fresh_start(agent),
    )
