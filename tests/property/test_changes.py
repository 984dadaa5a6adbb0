"""The change engine against a model of systemd and a shell that fails, is slow, or is killed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opmas.core import events, roster
from opmas.core.agent.condition import dump_condition, dump_spec, load_condition, load_spec
from opmas.core.agent.terms import Desired, Phase
from opmas.core.change import engine, plan, watching
from opmas.core.change.change import (
    Change,
    ChangeState,
    TaskName,
    TaskState,
    dump_change,
    load_change,
)
from opmas.core.change.evidence import Surroundings
from opmas.core.change.sight import sight
from opmas.core.events import Forget, Measure, RunTask, StartUnit, StopUnit
from opmas.core.roster import Roster
from opmas.errors import OpmasError
from tests.builders import CLD_EXITED, running, spec
from tests.property.model import World

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent

VERSIONS = ["1.0", "1.1", "2.0"]
WINDOW = 60.0


class Changes(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.world = World()
        self.world.start()
        self.world.told.clear()
        agent = running(spec=spec(package="nap", version="1.0"), unit=self.world.state)
        self.roster = Roster({"web": agent}, concurrency=1)
        self.doing: list[RunTask] = []  # what the shell was asked for and has not answered
        self.late: list[events.Event] = []
        self.how = "ready"

    # ---- what people do ----

    @rule(version=st.sampled_from(VERSIONS), back=st.booleans())
    def operator_wants_a_version(self, version, back):
        agent = self.roster.agents.get("web")
        if agent is not None:
            self.propose(plan.update(agent.spec, version, author="ann", back=back))

    @rule(version=st.sampled_from(VERSIONS), back=st.booleans(), needless=st.booleans())
    def version_is_taken_as_far_as_its_watch(self, version, back, needless):
        self.operator_wants_a_version(version, back)
        self.shell_answers(8, ok=True, needless=needless)

    @rule()
    def version_goes_wrong(self):
        for _ in range(3):
            self.program_exits(1)
            self.deliver()
            self.time_passes(5.0)

    @rule(naps=st.integers(1, 3), lives=st.booleans())
    def operator_configures(self, naps, lives):
        agent = self.roster.agents.get("web")
        known = None if agent is None else agent.spec
        wanted = replace(known or spec(package="nap", version="1.0"), config={"naps": naps})
        change = plan.put(known, wanted, author="ann", lives=lives)
        if change is not None:
            self.propose(change)

    @rule(data=st.data())
    def operator_undoes(self, data):
        active = [id_ for id_, c in self.roster.changes.items() if not c.is_final]
        if active:
            with contextlib.suppress(OpmasError):
                id_ = data.draw(st.sampled_from(active))
                self.step(lambda r: engine.undo(r, id_, "ann", self.now))

    @rule(command=st.sampled_from([events.Start, events.Stop, events.Restart]))
    def operator_commands(self, command):
        if "web" in self.roster.agents:
            with contextlib.suppress(OpmasError):
                self.take(command())

    @rule()
    def operator_removes(self):
        agent = self.roster.agents.get("web")
        if agent is not None:
            self.step(lambda r: engine.supersede(r, "web"))
            self.propose(plan.remove(agent.spec, purge=False, author="ann"))

    @rule()
    def admin_stops(self):
        self.world.stop()

    # ---- what the host does ----

    @rule(how=st.sampled_from(["ready", "slow", "fails"]))
    def program_changes(self, how):
        self.how = how

    @rule(status=st.sampled_from([0, 1, 78]))
    def program_exits(self, status):
        self.world.exit(CLD_EXITED, status)

    @rule(ends=st.sampled_from(["ready", "exit-code", "timeout"]))
    def slow_start_ends(self, ends):
        self.world.goes_on(ends)

    @rule(count=st.integers(1, 8), ok=st.booleans(), needless=st.booleans())
    def shell_answers(self, count, ok, needless):
        for left in reversed(range(count)):
            self.deliver()
            if self.doing:
                self.answer(self.doing.pop(0), ok=ok or left > 0, needless=needless)

    @rule()
    def signals_arrive(self):
        self.deliver()

    @rule(delay=st.sampled_from([0.0, 0.3, 5.0, 30.0, 120.0]))
    def time_passes(self, delay):
        self.now += delay
        self.look()

    @rule(same_boot=st.booleans())
    def manager_is_killed(self, same_boot):
        """What was saved is all that is left; what the shell did is told to nobody."""
        if not same_boot:
            self.world.reboot()
        self.world.told.clear()
        self.late.clear()
        self.doing.clear()
        kept = json.loads(json.dumps([dump_change(c) for c in self.roster.changes.values()]))
        changes = [load_change(saved) for saved in kept]
        changes = [
            c if c.is_final else engine.resumed(c, self.now, same_boot=same_boot) for c in changes
        ]
        agents = {name: saved_agent(a) for name, a in self.roster.agents.items()}
        self.roster = replace(
            self.roster, agents=agents, changes={c.id: c for c in changes}, utc_offset=0.0
        )
        if agents:
            self.take(events.Resumed(self.world.look().state, same_boot=same_boot))
        self.step(lambda r: (r, ()))

    @rule()
    def all_comes_to_rest(self):
        self.how = "ready"
        for _ in range(60):
            self.world.goes_on("ready")
            self.deliver()
            while self.doing:
                self.answer(self.doing.pop(0), ok=True, needless=True)
            self.now += WINDOW
            self.look()
        active = [c for c in self.roster.changes.values() if not c.is_final]
        assert not active, f"stuck: {active}"
        agent = self.roster.agents.get("web")
        if agent is not None:
            assert not agent.paused
            up = agent.phase is Phase.RUNNING
            given_up = agent.phase in {Phase.FAILED, Phase.QUARANTINED, Phase.BACKOFF}
            assert (
                up
                or given_up
                or agent.held
                or agent.spec.desired is Desired.STOPPED
                or (agent.reason in {"clean-exit", "held-by-systemctl"})
            ), agent

    # ---- what always holds ----

    @invariant()
    def one_change_goes_on_for_the_agent(self):
        begun = [
            c
            for c in self.roster.changes.values()
            if not c.is_final and c.state is not ChangeState.PLANNED
        ]
        assert len(begun) <= 1

    @invariant()
    def nothing_holds_an_agent_down_but_a_change(self):
        agent = self.roster.agents.get("web")
        if agent is not None and agent.paused:
            assert any(not c.is_final for c in self.roster.changes.values())

    @invariant()
    def an_ended_change_is_whole_or_was_never_made(self):
        for change in self.roster.changes.values():
            states = {t.state for t in change.tasks}
            if change.state is ChangeState.COMMITTED and change.reason != "removed":
                assert states <= {TaskState.DONE, TaskState.SKIPPED}, change
            if change.state in {ChangeState.REVERTED, ChangeState.REVERT_FAILED}:
                assert TaskState.DONE not in states, change
                assert TaskState.DOING not in states, change

    @invariant()
    def the_newest_ended_change_is_what_the_agent_is(self):
        agent = self.roster.agents.get("web")
        ended = [c for c in self.roster.changes.values() if c.is_final and c.after and c.before]
        if agent is None or not ended or any(not c.is_final for c in self.roster.changes.values()):
            return
        last = ended[-1]
        wanted = last.after if last.state is ChangeState.COMMITTED else last.before
        assert wanted is not None
        if last.state is not ChangeState.REFUSED and last.id == max(self.roster.changes):
            for key in ("version", "config"):
                assert dump_spec(agent.spec)[key] == wanted[key], (last, agent.spec)

    # ---- the writer and the shell ----

    def propose(self, change: Change) -> None:
        change = replace(change, window=WINDOW if change.window else 0.0)
        self.step(lambda r: engine.propose(r, change))

    def take(self, event):
        self.step(lambda r: roster.step(r, "web", event, self.now))

    def step(self, step):
        self.roster, effects = step(self.roster)
        effects = list(effects)
        for name in roster.due(self.roster, self.now):
            self.roster, more = roster.step(self.roster, name, events.Tick(), self.now)
            effects += more
        self.roster, more = engine.advance(self.roster, self.now)
        effects += more
        for name in roster.turns(self.roster):
            self.roster, more = roster.step(self.roster, name, events.Turn("digest"), self.now)
            effects += more
        self.carry_out(effects)

    def carry_out(self, effects):
        for effect in effects:
            if isinstance(effect, StartUnit):
                assert not self.roster.get("web").paused
                if effect.reset:
                    self.world.reset_failed()
                self.late.append(events.JobIssued(self.world.start(self.how)))
            elif isinstance(effect, StopUnit):
                self.late.append(events.JobIssued(self.world.stop()))
            elif isinstance(effect, RunTask):
                change = self.roster.changes[effect.change]
                states = {TaskState.UNDOING} if effect.undo else {TaskState.DOING}
                assert change.tasks[effect.task].state in states
                self.doing.append(effect)
            elif isinstance(effect, Forget):
                self.step(lambda r: (roster.remove(r, "web"), ()))
            elif isinstance(effect, Measure):
                self.step(
                    lambda r, e=effect: (watching.measured(r, e.change, self.sightings()), ())
                )

    def answer(self, effect, *, ok, needless):
        change = self.roster.changes.get(effect.change)
        if change is None:
            return
        result = {}
        if change.tasks[effect.task].name is TaskName.CHECK:
            result = {"window": WINDOW, "needless": ["snapshot", "migrate"] if needless else []}
        told = {
            "ok": ok,
            "code": "failed",
            "message": "it failed",
            "problems": (),
            "result": result,
            "undo": effect.undo,
        }
        self.step(lambda r: engine.task_ended(r, effect.change, effect.task, told, self.now))

    def look(self):
        seen = self.sightings()
        around = {name: Surroundings() for name in seen}
        for id_, change in list(self.roster.changes.items()):
            if change.state is ChangeState.WATCHING:
                self.step(lambda r, i=id_: watching.sighted(r, i, seen, around, self.now))
        self.step(lambda r: (r, ()))

    def sightings(self):
        return {name: sight(a, self.now) for name, a in self.roster.agents.items()}

    def deliver(self):
        for _ in range(200):
            if self.late:
                event = self.late.pop(0)
            elif self.world.told:
                event = self.world.told.pop(0)
            else:
                return
            if "web" in self.roster.agents:
                self.take(event)


def saved_agent(agent: Agent) -> Agent:
    saved = json.loads(json.dumps([dump_spec(agent.spec), dump_condition(agent)]))
    return load_condition(load_spec(saved[0]), saved[1])


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
