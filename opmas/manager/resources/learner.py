"""Learns what agents need, proposes limits that fit, and sets them where the host says so.

What was learned is in the database, each agent's saved SAVE_EVERY seconds after it changed: a lost
database loses history, and nothing else. Limits are set by a change like any other, by `manager`:
it is watched, and undone when it makes the agent worse.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.change import engine, plan
from opmas.core.change.ledger import of_agent
from opmas.core.documents.settings import Learn
from opmas.core.resources import learning
from opmas.core.resources.learning import NO_PEAK, NOTHING, Learned, Peak
from opmas.core.resources.limits import NO_LIMITS, Origin, given
from opmas.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from opmas.core.agent.state import Agent
    from opmas.core.agent.terms import AgentSpec, Limits
    from opmas.core.change.change import Change
    from opmas.core.documents.settings import Settings
    from opmas.core.resources.usage import Sample
    from opmas.core.roster import Decision, Roster
    from opmas.manager.resources.limits import LimitsOf
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer

logger = logging.getLogger(__name__)

SAVE_EVERY: Final = 600.0  # seconds
SAVED_AT_ONCE: Final = 20  # agents, so that the loop is not held up
LEAST_TIME: Final = 0.5  # seconds between two samples, for a rate of CPU time
AUTHOR: Final = "manager"


@dataclass(slots=True)
class _Window:
    """The highest figures since `begun`."""

    begun: float
    peak: Peak = NO_PEAK


class Learner:
    """What was learned of each agent."""

    def __init__(
        self,
        settings: Settings,
        writer: Writer,
        databases: Databases,
        limits: LimitsOf,
        clock: Callable[[], float],
    ) -> None:
        self._section = settings.limits
        self._factor = settings.changes.watch
        self._writer = writer
        self._databases = databases
        self._limits = limits
        self._clock = clock
        self._learned: dict[str, Learned] = {}
        self._windows: dict[str, _Window] = {}
        self._unsaved: dict[str, float] = {}  # since when
        self._gone: set[str] = set()

    @property
    def mode(self) -> Learn:
        """What follows from what is learned."""
        return self._section.learn

    def load(self) -> None:
        """Take up what was saved; without a database it begins anew."""
        database = self._databases.current
        if database is None:
            return
        try:
            saved = database.learned()
        except StoreError as error:
            logger.warning("what was learned of agents is lost: %s", error.message)
            return
        for name, document in saved.items():
            try:
                self._learned[name] = learning.load_learned(document)
            except (KeyError, TypeError, ValueError) as error:
                logger.warning("agent %s: what was learned of it is lost: %r", name, error)

    def observe(self, name: str, sample: Sample, before: Sample | None) -> None:
        """Take note of what an agent uses; `before` is the sample before, of the same run."""
        if self._section.learn is Learn.OFF:
            return
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = _Window(sample.at)
        seen = Peak(sample.needed_bytes, sample.tasks, _cpu(before, sample))
        window.peak = learning.higher(window.peak, seen)
        if sample.at - window.begun >= learning.window(self._section.learn_after):
            self._close(name, window.peak)
            self._windows[name] = _Window(sample.at, Peak(seen.memory, seen.tasks))

    def tick(self) -> None:
        """Save what waited long enough, a few at a time."""
        late = self._clock() - SAVE_EVERY
        due = [name for name, since in self._unsaved.items() if since <= late][:SAVED_AT_ONCE]
        if due or self._gone:
            self._save(due)

    def keep(self, agents: Container[str]) -> None:
        """Forget all other agents."""
        for name in [n for n in self._windows if n not in agents]:
            del self._windows[name]
        for name in [n for n in self._learned if n not in agents]:
            del self._learned[name]
            self._unsaved.pop(name, None)
            self._gone.add(name)

    def save(self) -> None:
        """Save all that is not saved: the manager ends."""
        self._save(list(self._unsaved))

    def learned(self, name: str) -> Learned:
        """Return what is known of the agent."""
        return self._learned.get(name, NOTHING)

    def hours(self, name: str) -> float:
        """Return for how many hours the agent was watched."""
        return learning.watched(self.learned(name), self._section.learn_after) / 3600

    def has_enough(self, name: str) -> bool:
        """Return whether the agent was watched for long enough for a proposal."""
        return learning.has_enough(self.learned(name), self._section.learn_after)

    def fitting(self, agent: Agent) -> Limits:
        """Return the limits that would fit the agent, as far as is known."""
        window = self._windows.get(agent.name)
        used = NO_PEAK if window is None else window.peak
        return learning.fitting(self.learned(agent.name), used, self._section.head_room)

    def proposal(self, agent: Agent) -> Limits:
        """Return the limits that are proposed for the agent: where others would fit better."""
        if self._section.learn is Learn.OFF or not self.has_enough(agent.name):
            return NO_LIMITS
        return learning.proposal(
            self.fitting(agent),
            self._limits.limits(agent.spec),
            agent.spec.limits,
            self.learned(agent.name),
            self._limits.host.ceilings,
        )

    def origins(self, spec: AgentSpec) -> dict[str, str]:
        """Return who set each of the agent's limits."""
        found = {name: str(each) for name, each in self._limits.resolved(spec).origins.items()}
        known = self._learned.get(spec.name)
        if known is None or known.applied == NO_LIMITS:
            return found
        return {
            name: str(Origin.LEARNED)
            if each == Origin.AGENT and not learning.is_by_hand(name, spec.limits, known)
            else each
            for name, each in found.items()
        }

    def change(self, agent: Agent, wanted: Limits, author: str) -> Change | None:
        """Return the change that gives the agent these limits beside those that it has."""
        spec = replace(agent.spec, limits=_with(agent.spec.limits, wanted))
        return plan.put(agent.spec, spec, author=author, lives=True, factor=self._factor)

    def applied(self, name: str, wanted: Limits) -> None:
        """Take note that the agent is given these limits, so that they are not somebody's own."""
        known = self.learned(name)
        applied = _with(known.applied, wanted)
        self._put(name, replace(known, applied=applied, tried=known.windows, told=NO_LIMITS))

    def _close(self, name: str, peak: Peak) -> None:
        self._put(name, learning.learn(self.learned(name), peak))
        agent = self._writer.roster.agents.get(name)
        if agent is None or not self.has_enough(name):
            return
        wanted = self.proposal(agent)
        self._announce(agent, wanted)
        if self._section.learn is Learn.APPLY:
            self._apply(agent, wanted)

    def _announce(self, agent: Agent, wanted: Limits) -> None:
        known = self.learned(agent.name)
        if not learning.is_news(known.told, wanted):
            return
        self._put(agent.name, replace(known, told=wanted))
        data: dict[str, object] = {
            "limits": given(wanted),
            "now": asdict(self._limits.limits(agent.spec)),
        }
        self._writer.announce("opmas.limits.proposed", f"agent/{agent.name}", data)

    def _apply(self, agent: Agent, wanted: Limits) -> None:
        name = agent.name
        busy = of_agent(self._writer.roster, name) is not None
        if busy or not learning.may_try(self.learned(name), agent.spec.limits):
            return
        declared = self._limits.declared(agent.spec)
        wanted = learning.automatic(wanted, declared, self._limits.host.ceilings)
        change = self.change(agent, wanted, AUTHOR)
        if change is None:
            return
        self.applied(name, wanted)
        change = replace(change, automatic=True)

        def step(roster: Roster, _now: float) -> Decision:
            if name not in roster.agents:
                return roster, ()
            return engine.propose(roster, engine.expecting(roster, change))

        self._writer.post_step(step)

    def _put(self, name: str, learned: Learned) -> None:
        self._learned[name] = learned
        self._gone.discard(name)
        self._unsaved.setdefault(name, self._clock())

    def _save(self, names: list[str]) -> None:
        database = self._databases.current
        if database is None:
            return
        documents = {name: learning.dump_learned(self._learned[name]) for name in names}
        try:
            database.save_learned(documents, self._gone, self._databases.now())
        except StoreError as error:  # it is said elsewhere; what is learned can wait
            logger.warning("what was learned is not saved: %s", error.message)
            self._unsaved |= dict.fromkeys(names, self._clock())
            return
        self._gone.clear()
        for name in names:
            self._unsaved.pop(name, None)


def _cpu(before: Sample | None, sample: Sample) -> float | None:
    """Return the percent of one CPU that was used between the two."""
    if before is None or before.cpu_seconds is None or sample.cpu_seconds is None:
        return None
    took, used = sample.at - before.at, sample.cpu_seconds - before.cpu_seconds
    return used / took * 100 if took >= LEAST_TIME and used >= 0 else None


def _with(limits: Limits, others: Limits) -> Limits:
    return replace(limits, **given(others))
