"""What to do about an agent that systemd gave up: try again later, fail, or quarantine.

systemd restarts a crashed agent by itself, at once, until its start limit. Only then is an agent
seen as down, and this file decides. The count of failures is forgotten after *sustained*
running, never by a successful start alone: a loop of start and crash must end.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.agent import Desired, Phase, Reason
from opmas.core.exits import is_config_exit
from opmas.core.state import Agent, Fact, Pending

if TYPE_CHECKING:
    from opmas.core.unit import UnitState


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient OPMAS is with an agent; times in seconds."""

    first_delay: float = 10.0
    max_delay: float = 300.0
    max_failures: int = 5
    reset_after: float = 600.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase that follows a failure, why, and after which delay to try again."""

    phase: Phase
    reason: Reason
    delay: float | None = None


RESULT_REASONS: Final = {  # the Result property, org.freedesktop.systemd1(5)
    "watchdog": Reason.WATCHDOG,
    "timeout": Reason.TIMEOUT,
    "oom-kill": Reason.OUT_OF_MEMORY,
    "start-limit-hit": Reason.START_LIMIT,
    "resources": Reason.UNIT_ERROR,
}


def judge(name: str, unit: UnitState | None, failures: int, policy: Policy) -> Verdict:
    """Return what follows when the agent is down for the `failures`-th time in a row."""
    if unit is not None and is_config_exit(unit):
        return Verdict(Phase.FAILED, Reason.EXIT_CONFIG)
    if failures > policy.max_failures:
        return Verdict(Phase.QUARANTINED, Reason.CRASH_LOOP)
    return Verdict(Phase.BACKOFF, reason_of(unit), backoff(name, failures, policy))


def backoff(name: str, failures: int, policy: Policy) -> float:
    """Return the delay before the next try; the jitter is the agent's own, so that many agents
    that lost the same server do not come back together.
    """
    exponent = min(failures - 1, 32)  # clamped: 2.0 ** 1024 overflows
    delay = min(policy.first_delay * 2.0**exponent, policy.max_delay)
    spread = zlib.crc32(f"{name}:{failures}".encode()) / 2**32 * 2 - 1
    return delay * (1 + policy.jitter * spread)


def reason_of(unit: UnitState | None) -> Reason:
    """Return why the unit went down, in our words."""
    if unit is None or unit.result == "success":
        return Reason.UNIT_ERROR  # it was not even started: a dependency, a condition
    return RESULT_REASONS.get(unit.result, Reason.CRASHED)


def reason_up(agent: Agent, seen: Fact, phase: Phase) -> Reason:
    """Return why the agent enters a phase of a unit that is up, or on its way."""
    if seen is Fact.RESTARTING:
        return Reason.AUTO_RESTART
    if phase is agent.phase:
        return agent.reason
    if phase is Phase.RUNNING:
        ours = agent.spec.desired is Desired.RUNNING
        return Reason.READY if ours else Reason.SYSTEMCTL
    if phase is Phase.RELOADING:
        return Reason.RELOAD
    if agent.pending in {Pending.START, Pending.STOP}:
        return Reason.REQUESTED
    let_down = agent.let_down and seen is Fact.DEACTIVATING
    ends_itself = agent.unit is not None and agent.unit.result != "success"
    by_others = Reason.DEPENDENCY if let_down else Reason.SYSTEMCTL
    return reason_of(agent.unit) if ends_itself else by_others
