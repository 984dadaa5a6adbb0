"""The watch window of a change: what is seen of its agents, judged until it is kept or undone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core.agent.state import health
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.change.change import Change, ChangeState, TaskName, TaskState
from opmas.core.change.evidence import Surroundings, baseline, begin, take
from opmas.core.change.ledger import enter, mark, marked, under_way, with_change
from opmas.core.change.reverting import bad_key_of, begin_revert
from opmas.core.change.sight import sight
from opmas.core.change.verdict import Decision, Verdict, judge
from opmas.core.change.window import LONGEST
from opmas.core.recovery.alteration import alteration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.agent.state import Agent
    from opmas.core.change.evidence import Sighting
    from opmas.core.change.ledger import Step
    from opmas.core.roster import Roster

UP = frozenset({Phase.RUNNING, Phase.RELOADING})


def measured(roster: Roster, id_: int, sightings: Mapping[str, Sighting]) -> Roster:
    """Return the roster with what the change's agents used before anything was done to them.

    A change of a configuration is watched already by the time that this is known.
    """
    change = roster.changes.get(id_)
    if change is None or change.state not in {ChangeState.APPLYING, ChangeState.WATCHING}:
        return roster
    known = {name: baseline(seen) for name, seen in sightings.items() if name in change.watches}
    watches = {n: replace(change.watches[n], baseline=base) for n, base in known.items()}
    return with_change(roster, replace(change, watches={**change.watches, **watches}))


def begin_watch(roster: Roster, change: Change, position: int, now: float) -> Step:
    """Begin the window: an exit when the agent was stopped is not held against the change."""
    task = change.tasks[position]
    if change.window <= 0:
        return mark(roster, change, position, marked(task, TaskState.SKIPPED, "no window"))
    roster, effects = mark(roster, change, position, marked(task, TaskState.DOING))
    watches = {
        name: begin(watch_.baseline, sight(roster.agents[name], now))
        for name, watch_ in change.watches.items()
        if name in roster.agents
    }
    change = replace(roster.changes[change.id], watches=watches, watch_until=None)
    roster, more = enter(roster, change, ChangeState.WATCHING)
    return roster, (*effects, *more)


def watch(roster: Roster, change: Change, now: float) -> Step:
    """End the watch early: nobody is to be watched, or somebody waits and all is well."""
    gone = [
        n for n in change.agents if n in roster.agents and not roster.agents[n].package_present
    ]
    if gone:
        message = f'the version that agent "{gone[0]}" was given was taken away'
        return begin_revert(roster, change, str(Reason.PACKAGE_MISSING), message, (), now)
    watched = _watched(roster, change)
    if not watched:
        message = "its agents are not wanted running: there is nothing to watch"
        return _keep(roster, change, now, "not-running", message)
    hurry = any(
        c.id > change.id and not c.automatic and set(c.agents) & set(change.agents)
        for c in under_way(roster)
    )
    if hurry and all(_is_well(a) for a in watched):
        message = "its agents were well when the next change came"
        return _keep(roster, change, now, "next-change", message)
    return roster, ()


def sighted(
    roster: Roster,
    id_: int,
    sightings: Mapping[str, Sighting],
    around: Mapping[str, Surroundings],
    now: float,
) -> Step:
    """Judge the change by what is seen of its agents now."""
    change = roster.changes.get(id_)
    if change is None or change.state is not ChangeState.WATCHING:
        return roster, ()
    until = change.watch_until
    if until is None and all(a.phase in UP for a in _watched(roster, change)):
        until = now + change.window
    begun = min((each.began.at for each in change.watches.values()), default=now)
    if until is None and now - begun >= LONGEST:
        until = now  # what keeps it down is from outside, or it would be undone by now
    elapsed = 0.0 if until is None else change.window - (until - now)
    watches = {
        name: take(watch_, sightings[name], around.get(name))
        for name, watch_ in change.watches.items()
        if name in sightings
    }
    verdicts = {
        name: judge(
            watch_, sightings[name], around.get(name, Surroundings()),
            elapsed=elapsed, window=change.window,
        )
        for name, watch_ in watches.items()
    }  # fmt: skip
    if watches:
        change = replace(change, watches={**change.watches, **watches}, watch_until=until)
        roster = with_change(roster, change)
    return _conclude(roster, change, verdicts, now)


def _conclude(roster: Roster, change: Change, verdicts: Mapping[str, Verdict], now: float) -> Step:
    for name, verdict in verdicts.items():
        if verdict.decision is Decision.UNDO:
            words = verdict.sentence.partition(": ")[2]
            message = f'agent "{name}" is worse than before: {words}'
            return begin_revert(roster, change, str(verdict.cause), message, verdict.facts, now)
    if any(v.decision is Decision.WATCH for v in verdicts.values()):
        return roster, ()
    told = next((v for v in verdicts.values() if v.cause is not None), None)
    if told is None:
        return _keep(roster, change, now, "well", "its agents do as well as before")
    return _keep(roster, change, now, str(told.cause), told.sentence, told.facts)


def _keep(
    roster: Roster,
    change: Change,
    now: float,
    reason: str,
    message: str,
    facts: tuple[str, ...] = (),
) -> Step:
    position = next(i for i, t in enumerate(change.tasks) if t.name is TaskName.WATCH)
    roster, effects = mark(
        roster, change, position, marked(change.tasks[position], TaskState.DONE)
    )
    roster, more = commit(roster, roster.changes[change.id], now, reason, message, facts)
    return roster, (*effects, *more)


def commit(
    roster: Roster,
    change: Change,
    now: float,
    reason: str = "done",
    message: str = "",
    facts: tuple[str, ...] = (),
) -> Step:
    """Return the roster with the change kept, and its agents that remember it."""
    agents = dict(roster.agents)
    for name in change.agents:
        if name in agents:
            agents[name] = _altered(agents[name], change, roster.utc_offset + now)
    roster = replace(roster, agents=agents)
    return enter(
        roster, change, ChangeState.COMMITTED, reason=reason, message=message, facts=facts
    )


def _altered(agent: Agent, change: Change, at: float) -> Agent:
    if change.undo_of is not None:
        return replace(agent, altered=None)
    found = alteration(change, agent.name, at, bad_key_of(change) or "")
    return agent if found is None else replace(agent, altered=found)


def _watched(roster: Roster, change: Change) -> list[Agent]:
    agents = [roster.agents[name] for name in change.agents if name in roster.agents]
    return [a for a in agents if a.spec.desired is Desired.RUNNING and not a.held]


def _is_well(agent: Agent) -> bool:
    return agent.phase is Phase.RUNNING and health(agent).status in {
        Health.HEALTHY,
        Health.UNKNOWN,
    }
