"""All agents of the host: who may start next, and what a new specification changes.

Starts go a few at a time, in dependency order: an agent waits while one that it names in
`after` is itself on the way up. Order is a courtesy, not a condition: an agent whose dependency
failed, is held or does not exist is started all the same.
"""

from __future__ import annotations

import graphlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.lifecycle import decide
from opmas.core.agent.repetition import is_repetition
from opmas.core.agent.state import Agent, Pending, Then, deadline
from opmas.core.agent.terms import AgentSpec, Desired, Phase, Reason
from opmas.core.agent.ties import Ties, ties_of, unmet, waiting, waits
from opmas.core.change.surroundings import Surroundings
from opmas.core.events import (
    Announce,
    ApplyLimits,
    NeedsMet,
    NeedsUnmet,
    PackageSeen,
    Prepare,
    Respecified,
    SendConfig,
    Start,
    Stop,
    Tick,
)
from opmas.core.health.briefing import briefed, leaning_on
from opmas.core.recovery.alteration import TELLING
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.context import Context
from opmas.core.recovery.failure import took_place
from opmas.core.recovery.policy import Policy, Recovery
from opmas.errors import AgentExistsError, InvalidError, TransitionError, UnknownAgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opmas.core.change.change import Change
    from opmas.core.change.knownbad import Bad
    from opmas.core.events import Effect, Event
    from opmas.core.recovery.alerts import Alert


@dataclass(frozen=True, slots=True)
class Roster:
    """The agents of the host by name; at most `concurrency` of them are started at a time.

    `ties` says what agents of a package need of others, by the package's name and version.
    `changes` are those under way and the last ended ones, `bad` is what was undone, by
    `knownbad.key`, `holds` names packages that stay as they are. `policy` is the host's word on
    recovery, `policies` are those of packages by name and version, `budget` is of restarts,
    `around` is what was last read of the host, `alerts` are those that are up. `utc_offset` turns
    the machine's monotonic time into seconds since 1970.
    """

    agents: Mapping[str, Agent] = field(default_factory=dict)
    concurrency: int = 8
    policy: Policy = field(default_factory=Policy)
    ties: Mapping[tuple[str, str], Ties] = field(default_factory=dict)
    changes: Mapping[int, Change] = field(default_factory=dict)
    last_change: int = 0
    bad: Mapping[str, Bad] = field(default_factory=dict)
    holds: frozenset[str] = frozenset()
    policies: Mapping[tuple[str, str], Recovery] = field(default_factory=dict)
    budget: Budget = field(default=Budget())
    around: Surroundings = field(default=Surroundings(), compare=False)
    alerts: Mapping[str, Alert] | None = field(default=None, compare=False)
    utc_offset: float = field(default=0.0, compare=False)

    def get(self, name: str) -> Agent:
        """Return the agent of that name, or raise `UnknownAgentError`."""
        agent = self.agents.get(name)
        if agent is None:
            raise UnknownAgentError(f'no agent is named "{name}"')
        return agent


Decision = tuple[Roster, tuple["Effect", ...]]
SPECIFIED: Final = (
    "package", "version", "desired", "config", "limits", "grants", "after", "recovery",
)  # fmt: skip


def step(roster: Roster, name: str, event: Event, now: float) -> Decision:
    """Return the roster after an event of one agent, and the effects in order."""
    before = roster.get(name)
    known = briefed(roster, before, now)
    if known is before and is_repetition(known, event):
        return roster, ()
    agent, effects = decide(known, event, now, Context(roster, known.spec))
    if isinstance(event, Tick) and took_place(known, agent):
        roster = replace(roster, budget=roster.budget.taken(now))
    roster = _with(roster, agent)
    for other in leaning_on(roster, known, agent):
        roster, more = step(roster, other, Tick(), now)
        effects = (*effects, *more)
    return roster, effects


def put(roster: Roster, spec: AgentSpec, now: float, *, create_only: bool = False) -> Decision:
    """Return the roster with the agent as specified: made anew, or changed in place."""
    check_order([*(a.spec for n, a in roster.agents.items() if n != spec.name), spec])
    known = roster.agents.get(spec.name)
    if known is None:
        return _create(roster, spec, now)
    if create_only:
        raise AgentExistsError(
            f'cannot create agent "{spec.name}": it exists:'
            f" `opmas agent update {spec.name}` changes it"
        )
    if known.then in {Then.REMOVE, Then.PURGE}:
        raise TransitionError(f'cannot change agent "{spec.name}": it is being removed')
    return _change(roster, known, spec, now)


def remove(roster: Roster, name: str) -> Roster:
    """Return the roster without the agent."""
    return replace(roster, agents={n: a for n, a in roster.agents.items() if n != name})


def turns(roster: Roster) -> tuple[str, ...]:
    """Return the queued agents that may be started now, in order."""
    agents = roster.agents.values()
    under_way = sum(1 for a in agents if a.phase is Phase.STARTING and a.pending is Pending.START)
    free = roster.concurrency - under_way
    if free <= 0:
        return ()
    ready = (a.name for a in agents if a.pending is Pending.QUEUED and not _waits_for(roster, a))
    return tuple(name for name, _ in zip(ready, range(free), strict=False))


def tie(roster: Roster, now: float) -> Decision:
    """Return the roster with agents let go whose needs are met, and held back where they are not.

    An agent whose dependency is on its way up keeps its place in the queue.
    """
    if not any(ties.requires for ties in roster.ties.values()):
        return roster, ()
    effects: list[Effect] = []
    for name in waiting(roster):
        roster, more = step(roster, name, NeedsMet(), now)
        effects.extend(more)
    for agent in list(roster.agents.values()):
        queued = agent.pending is Pending.QUEUED
        reason = unmet(roster, agent) if queued or waits(agent) else ""
        if reason and (queued or reason != agent.message):
            roster, more = step(roster, agent.name, NeedsUnmet(reason), now)
            effects.extend(more)
    return roster, tuple(effects)


def next_deadline(roster: Roster) -> float | None:
    """Return when the next agent wants a `Tick`, or None."""
    times = (deadline(a) for a in roster.agents.values())
    return min((at for at in times if at is not None), default=None)


def due(roster: Roster, now: float) -> tuple[str, ...]:
    """Return the agents that want a `Tick` now."""
    return tuple(
        a.name for a in roster.agents.values() if (at := deadline(a)) is not None and at <= now
    )


def check_order(specs: Iterable[AgentSpec]) -> None:
    """Raise `InvalidError` when the agents wait for each other in a circle, with its path."""
    graph = {spec.name: spec.after for spec in specs}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise InvalidError(
            f"cannot order the agents: they wait for each other: {circle}",
            (f"after: must not lead back to the agent itself: {circle}",),
        ) from error


def _waits_for(roster: Roster, agent: Agent) -> bool:
    ties = ties_of(roster, agent)
    others = map(roster.agents.get, (*agent.spec.after, *ties.requires, *ties.after))
    return any(
        o is not None
        and (o.paused or (o.phase is Phase.STARTING and o.reason is not Reason.AUTO_RESTART))
        for o in others
    )


def _create(roster: Roster, spec: AgentSpec, now: float) -> Decision:
    data = {"package": spec.package, "grants": list(spec.grants)}
    news = Announce("opmas.agent.created", f"agent/{spec.name}", data)
    agent = Agent(spec=spec, since=now)
    effects: tuple[Effect, ...] = (news, Prepare(spec.name))
    if spec.desired is Desired.RUNNING:
        queued = replace(
            agent, phase=Phase.STARTING, reason=Reason.REQUESTED, pending=Pending.QUEUED
        )
        phase = {"from": agent.phase, "to": queued.phase, "reason": queued.reason}
        agent = queued
        effects = (*effects, Announce("opmas.agent.phase", f"agent/{spec.name}", dict(phase)))
    return _with(roster, agent), effects


def _change(roster: Roster, known: Agent, spec: AgentSpec, now: float) -> Decision:
    changed = [name for name in SPECIFIED if getattr(spec, name) != getattr(known.spec, name)]
    if not changed:
        return roster, ()
    effects: list[Effect] = [
        Announce("opmas.agent.updated", f"agent/{spec.name}", {"changed": changed}),
        Prepare(spec.name),
    ]
    if "config" in changed:
        effects.append(SendConfig(spec.name))
    if "limits" in changed:
        effects.append(ApplyLimits(spec.name))
    agent = replace(known, spec=spec)
    if {"package", "version", "config"} & set(changed):  # what another one did is not its doing
        agent = replace(agent, vitals=replace(agent.vitals, exits=()))
    happens: list[Event] = []
    if {"package", "version"} & set(changed):  # whoever asked has looked that the new one is there
        happens.append(PackageSeen(present=True))
    if "desired" in changed:
        happens.append(Start() if spec.desired is Desired.RUNNING else Stop())
    else:
        happens.append(Respecified(releases=bool(set(changed) & {*TELLING})))
    for event in happens:
        agent, more = decide(agent, event, now, Context(roster, spec))
        effects.extend(more)
    return _with(roster, agent), tuple(effects)


def _with(roster: Roster, agent: Agent) -> Roster:
    return replace(roster, agents={**roster.agents, agent.name: agent})
