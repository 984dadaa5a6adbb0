"""The life cycle against a model of systemd: whatever happens, agent and unit agree in the end."""

from __future__ import annotations

import json
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opmas.core import events, roster
from opmas.core.agent import Desired, Phase, Reason
from opmas.core.condition import dump_condition, dump_spec, load_condition, load_spec
from opmas.core.events import Forget, StartUnit, StopUnit
from opmas.core.lifecycle import SETTLE, START_GRACE
from opmas.core.recovery import Policy
from opmas.core.roster import Roster
from opmas.core.state import Fact, Pending, deadline, fact
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
        self.last_word = "opmas"
        self.exits_told: list[float] = []

    @property
    def agent(self):
        return self.roster.get("web")

    @rule(command=st.sampled_from([events.Start, events.Stop, events.Restart]))
    def operator(self, command):
        self.last_word = "opmas"
        self.take(command())

    @rule()
    def admin_stops(self):
        self.last_word = "admin" if self.world.is_up else self.last_word
        self.world.stop()

    @rule()
    def admin_starts(self):
        self.world.start()

    @rule(status=st.sampled_from([0, 1, 78]))
    def program_exits(self, status):
        self.world.exit(CLD_EXITED, status)

    @rule()
    def program_is_killed(self):
        self.world.exit(CLD_KILLED, 9)

    @rule(count=st.integers(1, 6))
    def signals_arrive(self, count):
        for event in self.world.told[:count]:
            self.take(event)
        del self.world.told[:count]

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
        saved = json.loads(json.dumps([dump_spec(self.agent.spec), dump_condition(self.agent)]))
        agent = load_condition(load_spec(saved[0]), saved[1])
        self.roster = Roster({"web": agent}, concurrency=1, policy=POLICY)
        self.take(events.Resumed(self.world.state, same_boot=same_boot))

    @rule(delay=st.sampled_from([0.0, SETTLE, START_GRACE, 10.0, 48.0, 100.0]))
    def time_passes(self, delay):
        self.now += delay
        self.tick()

    @rule()
    def all_comes_to_rest(self):
        self.rest()

        assert self.agent.phase in AGREEMENT[fact(self.world.state)]
        assert self.agent.pending is Pending.NOTHING
        self.check_wishes()

    def check_wishes(self):
        agent, up = self.agent, self.world.is_up
        if agent.spec.desired is Desired.RUNNING and not up:
            held = agent.held and agent.reason is Reason.HELD
            ended = agent.phase is Phase.STOPPED and agent.reason is Reason.CLEAN_EXIT
            assert agent.phase in GIVEN_UP or held or ended
        if agent.spec.desired is Desired.STOPPED and up:
            assert agent.reason is Reason.SYSTEMCTL
        assert not (agent.held and up)

    @invariant()
    def no_deadline_is_overdue_after_a_tick(self):
        at = deadline(self.agent)
        assert at is None or at > self.now

    @invariant()
    def a_given_up_agent_waits_for_nobody(self):
        if self.agent.phase in {Phase.FAILED, Phase.QUARANTINED}:
            assert deadline(self.agent) is None

    def rest(self):
        for _ in range(20):
            self.deliver()
            at = self.agent.settle_at
            if at is None and not self.world.told:
                return
            self.now = max(self.now, at or 0.0)
            self.tick()
        raise AssertionError(f"does not come to rest: {self.agent}")

    def deliver(self):
        while self.world.told:
            self.take(self.world.told.pop(0))

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
            if isinstance(effect, StartUnit):
                if effect.reset:
                    self.world.reset_failed()
                self.issued(self.world.start())
            elif isinstance(effect, StopUnit):
                self.issued(self.world.stop())
            assert not isinstance(effect, Forget)

    def issued(self, job):
        self.roster, _ = roster.step(self.roster, "web", events.JobIssued(job), self.now)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
