"""A host in a model: several agents with their units, the writer's turn, a shell that answers.

`watch` hears of each step of an agent, before and after, with the event that led there: there the
promises of the recovery ladder are checked.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from opmas.core import events, roster
from opmas.core.agent.condition import dump_condition, dump_spec, load_condition, load_spec
from opmas.core.change import engine
from opmas.core.change.change import TaskName, dump_change, load_change
from opmas.core.events import Announce, RunTask, StartUnit, StopUnit
from opmas.core.recovery.remedies import AUTHOR, remedy
from tests.property.model import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opmas.core.agent.state import Agent
    from opmas.core.agent.terms import Reason
    from opmas.core.change.change import Change
    from opmas.core.events import Effect, Event
    from opmas.core.roster import Roster

UTC = 1_700_000_000.0


@dataclass
class Started:
    """A start that systemd was asked for."""

    at: float
    agent: str
    reason: Reason


@dataclass
class Heard:
    """All that happened to an agent in one step."""

    name: str
    event: Event
    before: Agent
    after: Agent
    effects: tuple[Effect, ...]


@dataclass
class Host:
    """The agents of `roster`, each with a unit of its own; `fails` are those that cannot start."""

    roster: Roster
    now: float = 0.0
    worlds: dict[str, World] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    refuses: bool = False  # the shell, what is checked
    broken_specs: list[tuple[str, str]] = field(default_factory=list)  # of agents that fail so
    starts: list[Started] = field(default_factory=list)
    heard: Callable[[Heard], None] = lambda _: None
    told: list[Announce] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.late: deque[tuple[str, Event]] = deque()
        self.doing: deque[RunTask] = deque()
        for name, agent in self.roster.agents.items():
            self.worlds[name] = World()
            if agent.phase == "running":
                self.worlds[name].start()
                self.worlds[name].told.clear()
        units = {n: replace(a, unit=self.worlds[n].state) for n, a in self.roster.agents.items()}
        self.roster = replace(self.roster, agents=units, utc_offset=UTC)

    # ---- the writer ----

    def take(self, name: str, event: Event) -> None:
        self.turn([(name, event)])

    def turn(self, items: Iterable[tuple[str, Event]] = (), step: object = None) -> None:
        effects: list[Effect] = []
        for name, event in items:
            effects += self._step(name, event)
        if callable(step):
            self.roster, more = step(self.roster)
            effects += more
        for name in roster.due(self.roster, self.now):
            effects += self._step(name, events.Tick())
        self.roster, more = remedy(self.roster, self.now)
        effects += more
        self.roster, more = engine.advance(self.roster, self.now)
        effects += more
        self.roster, more = roster.tie(self.roster, self.now)
        effects += more
        while names := roster.turns(self.roster):
            for name in names:
                effects += self._step(name, events.Turn("digest"))
        self._carry_out(effects)

    def _step(self, name: str, event: Event) -> tuple[Effect, ...]:
        before = self.roster.agents[name]
        self.roster, effects = roster.step(self.roster, name, event, self.now)
        self.heard(Heard(name, event, before, self.roster.agents[name], effects))
        return effects

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Announce():
                    self.told.append(effect)
                case StartUnit(agent=name, reset=reset):
                    self._start(name, reset=reset)
                case StopUnit(agent=name):
                    self.late.append((name, events.JobIssued(self.worlds[name].stop())))
                case RunTask():
                    self.doing.append(effect)
                case _:
                    pass

    def _start(self, name: str, *, reset: bool) -> None:
        agent, world = self.roster.agents[name], self.worlds[name]
        self.starts.append(Started(self.now, name, agent.reason))
        if reset:
            world.reset_failed()
        self.late.append((name, events.JobIssued(world.start(self.how(name)))))

    def how(self, name: str) -> str:
        return "fails" if name in self.fails or self.is_broken(name) else "ready"

    def is_broken(self, name: str) -> bool:
        """Whether the agent is specified so that it cannot run."""
        return (name, spec_key(self.roster.agents[name])) in self.broken_specs

    # ---- the shell ----

    def propose(self, change: Change) -> int:
        self.turn(step=lambda r: engine.propose(r, change))
        return self.roster.last_change

    def answer(self) -> None:
        """All tasks of changes end well, but for checks while the shell refuses."""
        while self.doing:
            effect = self.doing.popleft()
            change = self.roster.changes[effect.change]
            checks = change.tasks[effect.task].name is TaskName.CHECK
            result = {"window": change.window, "needless": ["snapshot", "migrate"]}
            told = {
                "ok": not (checks and self.refuses), "code": "failed", "message": "no",
                "problems": (), "result": result if checks else {}, "undo": effect.undo,
            }  # fmt: skip
            self.turn(
                step=lambda r, e=effect, t=told: engine.task_ended(
                    r, e.change, e.task, t, self.now
                )
            )

    # ---- the world ----

    def deliver(self) -> None:
        for _ in range(2000):
            if self.late:
                self.take(*self.late.popleft())
                continue
            name = next((n for n, world in self.worlds.items() if world.told), None)
            if name is None:
                return
            self.take(name, self.worlds[name].told.pop(0))
        raise AssertionError("signals without an end")

    def settle(self) -> None:
        """Deliver all there is, and let the time pass in which OPMAS makes up its mind."""
        for _ in range(200):
            self.deliver()
            self.answer()
            waits = [a.settle_at for a in self.roster.agents.values() if a.settle_at is not None]
            if not waits and not self.late and not self.doing:
                return
            self.now = max(self.now, min(waits, default=self.now))
            self.turn()
        raise AssertionError("it does not come to rest")

    def pass_time(self, delay: float) -> None:
        """Wake up as the writer does: at each deadline."""
        until = self.now + delay
        for _ in range(10_000):
            at = roster.next_deadline(self.roster)
            if at is None or at > until:
                break
            self.now = max(self.now, at)
            self.turn()
            self.settle()
        self.now = max(self.now, until)
        self.turn()

    def use_up(self, name: str, status: int, code: int = 1) -> None:
        """The program ends again and again, until systemd gives it up."""
        world = self.worlds[name]
        if world.is_up:
            world.starts = 5
            world.exit(code, status)

    def restart_manager(self, *, same_boot: bool) -> None:
        if not same_boot:
            for world in self.worlds.values():
                world.reboot()
        for world in self.worlds.values():
            world.told.clear()
        self.late.clear()
        self.doing.clear()
        kept = json.loads(json.dumps([dump_change(c) for c in self.roster.changes.values()]))
        changes = {c.id: c for c in map(load_change, kept)}
        changes = {
            id_: c if c.is_final else engine.resumed(c, self.now, same_boot=same_boot)
            for id_, c in changes.items()
        }
        agents = {name: saved(agent) for name, agent in self.roster.agents.items()}
        self.roster = replace(self.roster, agents=agents, changes=changes)
        self.turn(
            (name, events.Resumed(world.look().state, same_boot=same_boot))
            for name, world in self.worlds.items()
        )

    @property
    def active(self) -> list[Change]:
        return [c for c in self.roster.changes.values() if not c.is_final]

    @property
    def undone(self) -> list[Change]:
        """The changes that the ladder asked for."""
        return [c for c in self.roster.changes.values() if c.undo_of and c.author == AUTHOR]


def spec_key(agent: Agent) -> str:
    return json.dumps([agent.spec.version, agent.spec.config], sort_keys=True)


def saved(agent: Agent) -> Agent:
    found = json.loads(json.dumps([dump_spec(agent.spec), dump_condition(agent)]))
    return load_condition(load_spec(found[0]), found[1])
