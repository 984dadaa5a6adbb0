"""A change led through its tasks as the writer and the shell lead it, with one agent `web`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from opmas.core import events, roster
from opmas.core.change import engine, watching
from opmas.core.change.change import TaskName, TaskState
from opmas.core.change.evidence import Surroundings
from opmas.core.change.sight import sight
from opmas.core.events import Announce, RunTask
from opmas.core.roster import Roster
from tests.builders import active, deactivating, exited, inactive, running, spec

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.change.change import Change
    from opmas.core.change.ledger import Step
    from opmas.core.events import Effect, Event

FINE: dict[str, Any] = {"ok": True, "code": "", "message": "", "problems": (), "result": {}}
FAILED = {**FINE, "ok": False, "code": "no-space", "message": "the disk is full"}


class Course:
    """`asked` is what the shell was told to do and has not answered."""

    def __init__(self, *agents: Agent, window: float = 60.0) -> None:
        found = agents or (running(spec=spec(version="1.0")),)
        self.roster = Roster({a.name: a for a in found})
        self.now = 100.0
        self.window = window
        self.asked: list[RunTask] = []
        self.effects: list[Effect] = []
        self.news: list[Announce] = []

    @property
    def agent(self) -> Agent:
        return self.roster.get("web")

    def change(self, id_: int = 1) -> Change:
        return self.roster.changes[id_]

    def states(self, id_: int = 1) -> dict[str, str]:
        return {str(t.name): str(t.state) for t in self.change(id_).tasks}

    def asks(self) -> list[str]:
        """Return what the shell has to do, undoes with a minus."""
        return [self._name(effect) for effect in self.asked]

    def proposes(self, *changes: Change) -> Course:
        for change in changes:
            self.takes(partial(engine.propose, change=change))
        return self

    def on(self, event: Event, name: str = "web") -> Course:
        return self.takes(lambda r: roster.step(r, name, event, self.now))

    def answers(self, outcome: dict[str, Any] = FINE, **result: Any) -> Course:
        """The shell answers the first thing that it was asked for."""
        effect = self.asked.pop(0)
        task = self.change(effect.change).tasks[effect.task]
        if task.name is TaskName.CHECK and not effect.undo:
            result = {"window": self.window, "needless": [], **result}
        told = {**outcome, "result": result, "undo": effect.undo}
        return self.takes(
            lambda r: engine.task_ended(r, effect.change, effect.task, told, self.now)
        )

    def goes_down(self) -> Course:
        self.on(events.UnitSeen(deactivating()))
        return self.on(events.UnitSeen(inactive()))

    def comes_up(self) -> Course:
        return self.on(events.UnitSeen(active(invocation_id="next")))

    def fails(self) -> Course:
        """It exits for a bad configuration, and systemd gives it up."""
        self.on(events.UnitSeen(exited(status=78, at=self.now)))
        self.now += 1
        return self.on(events.Tick())

    def lives(self, seconds: int) -> Course:
        for _ in range(seconds):
            self.now += 1
            self.looks()
        return self

    def looks(self, around: Surroundings | None = None) -> Course:
        for id_ in list(self.roster.changes):
            seen = {n: sight(a, self.now) for n, a in self.roster.agents.items()}
            outside = dict.fromkeys(seen, around or Surroundings())
            look = partial(watching.sighted, id_=id_, sightings=seen, around=outside, now=self.now)
            self.takes(look)
        return self

    def is_killed(self, *, same_boot: bool = True) -> Course:
        """The manager comes back: the shell answers nobody."""
        self.asked.clear()
        changes = {
            i: c if c.is_final else engine.resumed(c, self.now, same_boot=same_boot)
            for i, c in self.roster.changes.items()
        }
        self.roster = replace(self.roster, changes=changes)
        return self.takes(lambda r: (r, ()))

    def updated(self, change: Change) -> Course:
        """Lead an update as far as its watch."""
        self.proposes(change).answers().answers().goes_down().answers().answers()
        return self.comes_up()

    def takes(self, step: Any) -> Course:
        """Take a step as a turn of the writer does."""
        steps: list[Any] = [step, lambda r: engine.advance(r, self.now)]
        for each in steps:
            self._keep(each(self.roster))
        for name in roster.turns(self.roster):
            self._keep(roster.step(self.roster, name, events.Turn("digest"), self.now))
        return self

    def _keep(self, step: Step) -> None:
        self.roster, effects = step
        self.effects += effects
        self.news += [e for e in effects if isinstance(e, Announce)]
        self.asked += [e for e in effects if isinstance(e, RunTask)]

    def _name(self, effect: RunTask) -> str:
        task = self.change(effect.change).tasks[effect.task]
        assert task.state is (TaskState.UNDOING if effect.undo else TaskState.DOING)
        return f"{'-' if effect.undo else ''}{task.name}"
