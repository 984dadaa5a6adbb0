"""What is done for one agent that concerns more than this one: a change undone, another restarted.

The ladder puts a remedy on the agent; the writer has it carried out here in the same turn, after
the steps of all agents. One that cannot be carried out is dropped: the agent is tried again
anyway, and its next failure is judged anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core import roster as rosters
from opmas.core.agent.condition import dump_spec, load_spec
from opmas.core.agent.terms import Phase
from opmas.core.change import engine, plan
from opmas.core.change.cause import Cause
from opmas.core.change.knownbad import remember
from opmas.core.events import Renew
from opmas.core.job import JobKind
from opmas.core.recovery.decided import Cure, Decided
from opmas.core.recovery.failure import decide_so
from opmas.core.recovery.ladder import Step as Rung

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.change.change import Change
    from opmas.core.events import Effect
    from opmas.core.recovery.alteration import Alteration
    from opmas.core.roster import Roster

    Step = tuple[Roster, tuple[Effect, ...]]

AUTHOR = "opmas"


def remedy(roster: Roster, now: float) -> Step:
    """Return the roster after the remedies that its agents wait for, each done once."""
    effects: list[Effect] = []
    for name in [a.name for a in roster.agents.values() if a.remedy is not None]:
        agent = roster.agents[name]
        if agent.remedy is None:
            continue
        roster = _with(roster, replace(agent, remedy=None))
        if agent.phase is not Phase.BACKOFF:
            continue  # the database was away, and it was tried meanwhile
        if agent.remedy.cure is Cure.UNDO:
            roster, more = _undo(roster, agent, now)
        else:
            roster, more = _restart(roster, agent, agent.remedy.target, now)
        effects.extend(more)
    return roster, tuple(effects)


def _undo(roster: Roster, agent: Agent, now: float) -> Step:
    altered = agent.altered
    if altered is None or altered.undone:
        return roster, ()
    change = undoing(roster, agent, altered)
    roster = _marked(roster, altered.change)
    if altered.bad_key:
        until = remember(
            roster.bad.get(altered.bad_key), roster.utc_offset + now, str(Cause.CRASH_LOOP)
        )
        roster = replace(roster, bad={**roster.bad, altered.bad_key: until})
    if change is None:
        return roster, ()
    return engine.propose(roster, change)


def undoing(roster: Roster, agent: Agent, altered: Alteration) -> Change | None:
    """Return the change that takes back what was altered, or None when nothing is to be done.

    It is not watched: the agent did badly before it, so there is nothing to compare with.
    """
    if altered.deb:
        job = {"job": str(JobKind.APT_ROLLBACK), **altered.deb}
        names = [a.name for a in roster.agents.values() if a.spec.package == altered.package]
        change = plan.update_deb(altered.package, names, job, author=AUTHOR, back=True)
    else:
        spec = load_spec({**dump_spec(agent.spec), **altered.before})
        found = plan.put(agent.spec, spec, author=AUTHOR, lives=False, back=True)
        if found is None:
            return None
        change = engine.expecting(roster, found)
    message = f'agent "{agent.name}" fails since change {altered.change}'
    return replace(
        plan.unwatched(change),
        undo_of=altered.change,
        automatic=True,
        reason="recovery",
        message=message,
    )


def _marked(roster: Roster, change: int) -> Roster:
    """Return the roster whose agents know that the change was undone: once, for all of them."""
    agents = {
        name: replace(a, altered=replace(a.altered, undone=True))
        if a.altered is not None and a.altered.change == change
        else a
        for name, a in roster.agents.items()
    }
    return replace(roster, agents=agents)


def _restart(roster: Roster, agent: Agent, target: str, now: float) -> Step:
    other = roster.agents.get(target)
    if other is None or not roster.budget.is_free(now):
        return roster, ()
    message = f'agent "{agent.name}" requires it and fails'
    facts = (f'Agent "{agent.name}" requires it and fails; it runs, and does not work.',)
    decided = Decided(
        roster.utc_offset + now, str(Rung.DEPENDENCY), "dependency-restart", None, facts,
        {"victim": agent.name, "failures": agent.failures},
    )  # fmt: skip
    told, news = decide_so(other, decided)
    roster, effects = rosters.step(_with(roster, told), target, Renew(message), now)
    if roster.agents[target].renewed_at == other.renewed_at:
        return _with(roster, other), ()  # it is on its way already
    return replace(roster, budget=roster.budget.taken(now)), (*news, *effects)


def _with(roster: Roster, agent: Agent) -> Roster:
    return replace(roster, agents={**roster.agents, agent.name: agent})
