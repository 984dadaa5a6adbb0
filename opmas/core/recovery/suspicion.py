"""Whether the last change of an agent is likely the cause of its failures, and if not, why not.

A change is suspected when it was committed lately, the agent was well before it and failed only
after it, and nothing around explains the failure. What a change's own watch judges is not judged
here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.condition import dump_spec
from opmas.core.agent.terms import Health, Reason
from opmas.core.agent.ties import is_let_down
from opmas.core.change.cause import EXCUSES, SENTENCES, Cause
from opmas.core.change.knownbad import is_barred, key
from opmas.core.change.ledger import of_agent
from opmas.core.change.surroundings import OUTSIDE_STATUSES, is_outside, troubles
from opmas.core.health.assessment import own_word
from opmas.core.recovery.alteration import part_digest
from opmas.core.unit.exits import CLD_EXITED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opmas.core.agent.state import Agent
    from opmas.core.recovery.alteration import Alteration
    from opmas.core.recovery.policy import Policy
    from opmas.core.roster import Roster

CLOCK_MARGIN: Final = 60.0  # seconds by which the clock may have been set back since the change

# What goes wrong, in the words of the judgement of changes: it says what excuses what.
CAUSES: Final = {
    Reason.CRASHED: Cause.CRASH_LOOP,
    Reason.START_LIMIT: Cause.CRASH_LOOP,
    Reason.WATCHDOG: Cause.HUNG,
    Reason.TIMEOUT: Cause.START_TIMEOUT,
    Reason.OUT_OF_MEMORY: Cause.OUT_OF_MEMORY,
    Reason.EXIT_CONFIG: Cause.CONFIG_ERROR,
    Reason.UNHEALTHY: Cause.UNHEALTHY,
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The number of the change that is suspected, or 0 and why none is."""

    change: int = 0
    why_not: str = ""


def suspicion(
    roster: Roster, agent: Agent, policy: Policy, cause: Reason, since: float, now: float
) -> Suspicion:
    """Return which change is suspected; it fails since `since`, in seconds since 1970."""
    altered = agent.altered
    if altered is None:
        return Suspicion(why_not="there is none that could be undone")
    inquiry = _Inquiry(roster, agent, altered, policy, since, now)
    why_not = next((words for holds, words in OBJECTIONS if holds(inquiry)), "")
    if not why_not:
        excuse = excused(roster, agent, cause)
        why_not = "" if excuse is None else SENTENCES[excuse]
    if why_not:
        return Suspicion(why_not=f"change {altered.change}: {why_not}")
    return Suspicion(altered.change)


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """What a suspicion rests on."""

    roster: Roster
    agent: Agent
    altered: Alteration
    policy: Policy
    since: float
    now: float

    @property
    def age(self) -> float:
        return self.roster.utc_offset + self.now - self.altered.at

    @property
    def was_changed_again(self) -> bool:
        before = self.altered.before
        return bool(before) and part_digest(dump_spec(self.agent.spec), before) != (
            self.altered.digest
        )

    @property
    def leads_to_bad(self) -> bool:
        spec = {**dump_spec(self.agent.spec), **self.altered.before}
        if not {"package", "version"} & self.altered.before.keys():
            return False
        bad = self.roster.bad.get(key(str(spec["package"]), str(spec["version"])))
        return is_barred(bad, self.roster.utc_offset + self.now)


# Each holds against the suspicion; the first that does is told.
OBJECTIONS: Final[tuple[tuple[Callable[[_Inquiry], bool], str], ...]] = (
    (lambda i: not i.policy.undo, "the policy undoes no change"),
    (lambda i: i.altered.undone, "it was undone already"),
    (lambda i: not -CLOCK_MARGIN <= i.age <= i.policy.undo_within, "it was not lately"),
    (lambda i: not i.altered.was_well, "it did no better before"),
    (lambda i: i.since < i.altered.at, "it failed before that was over"),
    (lambda i: of_agent(i.roster, i.agent.name) is not None, "another change goes on"),
    (lambda i: i.was_changed_again, "it was changed again since"),
    (lambda i: i.leads_to_bad, "what was before is known to be bad, too"),
)


def excused(roster: Roster, agent: Agent, cause: Reason) -> Cause | None:
    """Return the trouble around the agent that explains what goes wrong with it, or None."""
    excuses = EXCUSES[CAUSES.get(cause, Cause.FAILED_TO_START)]
    around = replace(
        roster.around,
        dependencies_down=(agent.name,) if is_let_down(roster, agent) else (),
        peers_worse=tuple(_peers_worse(roster, agent)) if agent.altered is not None else (),
    )
    found = {trouble for trouble, _ in troubles(around)}
    if _says_outside(agent):
        found.add(Cause.OUTSIDE_SERVER)
    return next((excuse for excuse in excuses if excuse in found), None)


def _says_outside(agent: Agent) -> bool:
    unit = agent.unit
    exited = unit is not None and unit.exec_main_code == CLD_EXITED
    if exited and unit is not None and unit.exec_main_status in OUTSIDE_STATUSES:
        return True
    report = own_word(agent)
    checks = () if report is None else report.checks
    return is_outside(tuple(c.code for c in checks if c.status is not Health.HEALTHY))


def _peers_worse(roster: Roster, agent: Agent) -> Iterator[str]:
    """Yield the agents of the same package that were not changed, and fail as well."""
    assert agent.altered is not None  # noqa: S101 -- the caller looked
    since = agent.altered.at
    for peer in roster.agents.values():
        if peer.name == agent.name or peer.spec.package != agent.spec.package:
            continue
        altered = peer.altered is not None and peer.altered.at >= since - CLOCK_MARGIN
        same = peer.altered is not None and peer.altered.bad_key == agent.altered.bad_key
        if peer.failures and (peer.failing_since or 0.0) >= since and not altered and not same:
            yield peer.name
