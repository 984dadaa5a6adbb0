"""The life cycle against a model of systemd: whatever happens, agent and unit agree in the end."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opmas.core import events, roster
from opmas.core.agent.condition import dump_condition, dump_spec, load_condition, load_spec
from opmas.core.agent.lifecycle import SETTLE, START_GRACE, decide
from opmas.core.agent.repetition import is_repetition
from opmas.core.agent.state import Fact, Pending, deadline, fact
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.events import Forget, StartUnit, StopUnit
from opmas.core.recovery.context import Context
from opmas.core.recovery.policy import Policy
from opmas.core.roster import Roster
from opmas.errors import TransitionError
from tests.builders import CLD_EXITED, CLD_KILLED, stopped
from tests.property.model import World

POLICY: Final = Policy(first_delay=10.0, max_delay=40.0, max_failures=3, reset_after=100.0)

AGREEMENT: Final = {
    Fact.ACTIVE: {Phase.RUNNING},
    Fact.INACTIVE: {
        Phase.REGISTERED, Phase.STOPPED, Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED,
    },
    Fact.FAILED: {Phase.STOPPED, Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED},
}  # fmt: skip
GIVEN_UP: Final = {Phase.FAILED, Phase.QUARANTINED, Phase.BACKOFF}


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = World()
        self.now = 0.0
        self.roster = Roster({"web": stopped()}, concurrency=1, policy=POLICY)
        self.late: list[events.Event] = []  # answers to our calls that are on their way
        self.how = "ready"  # how the next starts go
        self.hangs = False  # whether the program takes SIGTERM

    @property
    def agent(self):
        return self.roster.get("web")

    @rule(command=st.sampled_from([events.Start, events.Stop, events.Restart]))
    def operator(self, command):
        with contextlib.suppress(TransitionError):  # its package is not there
            self.take(command())

    @rule(event=st.sampled_from([events.Paused, events.Unpaused]))
    def change_pauses_it_or_lets_it_go(self, event):
        self.take(event())

    @rule(how=st.sampled_from(["ready", "slow", "fails"]), hangs=st.booleans())
    def program_changes(self, how, hangs):
        self.how, self.hangs = how, hangs

    @rule(ends=st.sampled_from(["ready", "exit-code", "timeout"]))
    def slow_start_ends(self, ends):
        self.world.goes_on(ends)

    @rule(away=st.booleans())
    def systemd_answers_or_not(self, away):
        self.world.away = away

    @rule(present=st.booleans())
    def package_is_looked_for(self, present):
        self.take(events.PackageSeen(present))

    @rule()
    def answers_arrive(self):
        for event in self.answers():
            self.take(event)

    @rule()
    def admin_stops(self):
        self.world.stop(hangs=self.hangs)

    @rule()
    def signals_come_twice(self):
        arrived = self.world.told[:1] * 2
        del self.world.told[:1]
        for event in arrived:
            self.take(event)

    @rule()
    def admin_starts(self):
        self.world.start(self.how)

    @rule(status=st.sampled_from([0, 1, 78]))
    def program_exits(self, status):
        self.world.exit(CLD_EXITED, status)

    @rule()
    def program_is_killed(self):
        self.world.exit(CLD_KILLED, 9)

    @rule(count=st.integers(1, 6))
    def signals_arrive(self, count):
        arrived = self.world.told[:count]
        del self.world.told[:count]  # before they are taken: what follows from them is told too
        for event in arrived:
            self.take(event)

    @rule(count=st.integers(1, 6))
    def signals_are_lost_and_systemd_is_read_afresh(self, count):
        del self.world.told[-count:]
        self.deliver()
        self.take(self.world.look())

    @rule(same_boot=st.booleans())
    def manager_restarts(self, same_boot):
        if not same_boot:
            self.world.reboot()
        self.world.told.clear()
        self.late.clear()
        saved = json.loads(json.dumps([dump_spec(self.agent.spec), dump_condition(self.agent)]))
        agent = load_condition(load_spec(saved[0]), saved[1])
        agent = replace(agent, package_present=self.agent.package_present)
        self.roster = Roster({"web": agent}, concurrency=1, policy=POLICY)
        self.take(events.Resumed(self.world.look().state, same_boot=same_boot))

    @rule(delay=st.sampled_from([0.0, SETTLE, START_GRACE, 10.0, 48.0, 100.0]))
    def time_passes(self, delay):
        self.now += delay
        self.tick()

    @rule()
    def all_comes_to_rest(self):
        self.world.away = False
        self.how = "ready"
        self.world.goes_on("ready")
        self.rest()

        assert self.agent.phase in AGREEMENT[fact(self.world.state)]
        assert self.agent.pending is Pending.NOTHING
        self.check_wishes()

    def check_wishes(self):
        agent, up = self.agent, self.world.is_up
        if agent.spec.desired is Desired.RUNNING and not up:
            held = agent.held and agent.reason is Reason.HELD
            ended = agent.phase is Phase.STOPPED and agent.reason is Reason.CLEAN_EXIT
            waits = agent.paused or not agent.package_present
            assert agent.phase in GIVEN_UP or held or ended or waits
        if agent.spec.desired is Desired.STOPPED and up:
            assert agent.reason is Reason.SYSTEMCTL
        assert not (agent.held and up)

    @invariant()
    def no_deadline_is_overdue_after_a_tick(self):
        at = deadline(self.agent)
        assert at is None or at > self.now

    @invariant()
    def what_is_taken_for_a_repetition_changes_nothing_now_or_later(self):
        seen = events.UnitSeen(self.agent.unit)
        if is_repetition(self.agent, seen):
            context = Context(self.roster, self.agent.spec)
            for now in (self.now, self.now + 10_000):
                assert decide(self.agent, seen, now, context) == (self.agent, ())

    @invariant()
    def a_given_up_agent_waits_for_nobody(self):
        if self.agent.phase in {Phase.FAILED, Phase.QUARANTINED}:
            assert deadline(self.agent) is None

    def rest(self):
        for _ in range(40):
            self.deliver()
            at = self.agent.settle_at
            if at is None and not self.world.told and not self.late:
                return
            self.now = max(self.now, at or 0.0)
            self.tick()
        raise AssertionError(f"does not come to rest: {self.agent}")

    def deliver(self):
        for event in self.answers():
            self.take(event)
        while self.world.told:
            self.take(self.world.told.pop(0))

    def answers(self):
        found, self.late = self.late, []
        return found

    def take(self, event):
        self.roster, effects = roster.step(self.roster, "web", event, self.now)
        self.carry_out(effects)
        self.tick()

    def tick(self):
        for name in roster.due(self.roster, self.now):
            self.roster, effects = roster.step(self.roster, name, events.Tick(), self.now)
            self.carry_out(effects)
        for name in roster.turns(self.roster):
            turn = events.Turn("digest")
            self.roster, effects = roster.step(self.roster, name, turn, self.now)
            self.carry_out(effects)

    def carry_out(self, effects):
        for effect in effects:
            if isinstance(effect, StartUnit | StopUnit) and self.world.away:
                self.late.append(events.CallRefused(Reason.UNIT_ERROR, "away", retry=True))
            elif isinstance(effect, StartUnit):
                assert not self.agent.paused
                if effect.reset:
                    self.world.reset_failed()
                self.late.append(events.JobIssued(self.world.start(self.how)))
            elif isinstance(effect, StopUnit):
                self.late.append(events.JobIssued(self.world.stop(hangs=self.hangs)))
            assert not isinstance(effect, Forget)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
