"""The recovery ladder against a model of systemd: its promises hold, whatever happens."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opmas.core import events
from opmas.core.agent.state import Pending, deadline
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.change import plan
from opmas.core.change.change import ChangeState
from opmas.core.events import Announce
from opmas.core.health.report import Report
from opmas.core.health.vitals import Traits
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.context import policy_of
from opmas.core.recovery.decided import REMEMBERED
from opmas.core.recovery.ladder import Inputs, Step, climb
from opmas.core.recovery.policy import Policy, Recovery
from opmas.core.roster import Roster
from opmas.errors import OpmasError
from tests.builders import CLD_KILLED, running, spec
from tests.property.host import UTC, Heard, Host, spec_key

POLICY: Final = Policy(
    first_delay=10, max_delay=40, max_failures=3, reset_after=100, undo_within=600, undo_after=2
)
BUDGET: Final = Budget(burst=4, per_minute=6.0)
PROBED: Final = Recovery(slow_probe=200)
TIES: Final = {
    ("web", ""): Ties(requires=("db",)),
    ("solo", ""): Ties(traits=Traits(check=True, liveness=True)),
}
AUTOMATIC: Final = {Reason.AUTO_RESTART, Reason.SLOW_PROBE}
DOWN: Final = {Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED}
NAMES: Final = ("db", "web", "api", "solo")
# What may take an agent out of quarantine, beside a slow probe.
RELEASES: Final = (events.Start, events.Stop, events.Restart, events.Respecified, events.Unpaused)


def agents():
    of = {
        "db": spec("db", package="db"),
        "web": spec("web", package="web"),
        "api": spec("api", package="web"),
        "solo": spec("solo", package="solo", recovery=PROBED),
    }
    return {name: running(name, spec=each, well_since=0.0) for name, each in of.items()}


class Ladder(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        whole = Roster(agents(), policy=POLICY, budget=BUDGET, ties=TIES)
        self.host = Host(whole, heard=self.hears)
        self.places: list[float] = []  # when places in the host's budget were taken
        self.undone: dict[int, int] = {}
        self.numbers = 0

    # ---- what people do ----

    @rule(
        name=st.sampled_from(NAMES),
        command=st.sampled_from([events.Start, events.Stop, events.Restart]),
    )
    def operator(self, name, command):
        with contextlib.suppress(OpmasError):
            self.host.take(name, command())

    @rule(name=st.sampled_from(NAMES), bad=st.booleans(), version=st.booleans())
    def operator_changes(self, name, bad, version):
        self.numbers += 1
        agent = self.host.roster.agents[name]
        wanted = replace(agent.spec, config={"n": self.numbers})
        if version:
            wanted = replace(agent.spec, version=f"1.{self.numbers}")
        change = plan.put(agent.spec, wanted, author="ann", lives=True)
        assert change is not None
        if bad:
            self.host.broken_specs.append((name, spec_key(replace(agent, spec=wanted))))
        self.host.propose(plan.unwatched(change))
        self.host.settle()

    @rule(name=st.sampled_from(NAMES))
    def operator_undoes_the_last(self, name):
        agent = self.host.roster.agents[name]
        wanted = replace(agent.spec, config={})
        change = plan.put(agent.spec, wanted, author="ann", lives=True)
        if change is not None:
            self.host.propose(
                replace(plan.unwatched(change), undo_of=self.host.roster.last_change)
            )

    @rule(name=st.sampled_from(NAMES))
    def admin_stops(self, name):
        self.host.worlds[name].stop()

    @rule(name=st.sampled_from(NAMES))
    def admin_starts(self, name):
        self.host.worlds[name].start(self.host.how(name))

    # ---- what goes wrong ----

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1), status=st.sampled_from([1, 69, 78]))
    def programs_end_again_and_again(self, names, status):
        for name in names:
            self.host.use_up(name, status)
        self.host.settle()

    @rule(name=st.sampled_from(NAMES))
    def program_is_killed(self, name):
        self.host.worlds[name].exit(CLD_KILLED, 9)

    @rule(name=st.sampled_from(NAMES), fails=st.booleans())
    def program_breaks_or_is_mended(self, name, fails):
        (self.host.fails.add if fails else self.host.fails.discard)(name)

    @rule()
    def broken_specifications_show(self):
        for name in NAMES:
            if self.host.is_broken(name):
                self.host.use_up(name, 1)
        self.host.settle()

    @rule(status=st.sampled_from([Health.HEALTHY, Health.UNHEALTHY]))
    def database_says_how_it_is(self, status):
        self.host.take("db", events.HealthReported(Report(status)))

    @rule(names=st.sets(st.sampled_from(["web", "api"]), min_size=1))
    def database_does_not_work_and_others_fail_for_it(self, names):
        self.database_says_how_it_is(Health.UNHEALTHY)
        self.programs_end_again_and_again(names, 1)

    @rule(status=st.sampled_from([Health.HEALTHY, Health.UNHEALTHY]))
    def probe_of_solo(self, status):
        self.host.take("solo", events.Probed(Report(status)))

    @rule(refuses=st.booleans())
    def shell_refuses_or_not(self, refuses):
        self.host.refuses = refuses

    @rule(same_boot=st.booleans())
    def manager_restarts(self, same_boot):
        self.host.restart_manager(same_boot=same_boot)

    @rule()
    def signals_arrive(self):
        self.host.deliver()
        self.host.answer()

    @rule(delay=st.sampled_from([0.0, 0.3, 5.0, 12.0, 48.0, 100.0, 250.0]))
    def time_passes(self, delay):
        self.host.pass_time(delay)

    @rule()
    def all_comes_to_rest(self):
        self.host.settle()
        self.host.pass_time(500.0)
        self.host.settle()
        assert not self.host.active
        for agent in self.host.roster.agents.values():
            assert agent.pending is Pending.NOTHING, agent
            self.check_wish(agent)

    def check_wish(self, agent):
        if agent.spec.desired is Desired.STOPPED or agent.phase is Phase.RUNNING:
            return
        named = agent.held or agent.reason in {Reason.CLEAN_EXIT, Reason.DEPENDENCY, Reason.HELD}
        tried = agent.phase is Phase.BACKOFF and deadline(agent) is not None
        assert named or tried or agent.phase in {Phase.FAILED, Phase.QUARANTINED}, agent
        if agent.phase is Phase.QUARANTINED and not agent.held:
            assert (agent.retry_at is not None) is (agent.name == "solo")

    # ---- what always holds ----

    def hears(self, heard: Heard):
        self.check_starts(heard)
        self.check_failures(heard)
        self.check_quarantine(heard)
        self.check_decisions(heard)

    def check_starts(self, heard):
        before, after = heard.before, heard.after
        starts = any(isinstance(e, events.StartUnit) for e in heard.effects)
        if starts:
            assert after.spec.desired is Desired.RUNNING
            assert not after.held
            assert not after.paused
        queued = after.pending is Pending.QUEUED and before.pending is not Pending.QUEUED
        if queued and after.reason in AUTOMATIC and after.failures:
            self.places.append(self.host.now)
            recent = [at for at in self.places if at > self.host.now - 60.0]
            assert len(recent) <= BUDGET.burst + BUDGET.per_minute + 1, recent
            if before.phase is Phase.BACKOFF:
                assert before.retry_at is not None
                assert before.retry_at <= self.host.now

    def check_failures(self, heard):
        before, after, event = heard.before, heard.after, heard.event
        if after.failures >= before.failures:
            assert after.failures <= before.failures + 1
            return
        well = before.well_since is not None
        sustained = well and self.host.now >= before.well_since + POLICY.reset_after
        asked = isinstance(event, (*RELEASES, events.Resumed))
        by_hand = isinstance(event, events.UnitSeen) and before.phase in DOWN
        assert sustained or asked or by_hand, heard

    def check_quarantine(self, heard):
        before, after, event = heard.before, heard.after, heard.event
        if before.phase is not Phase.QUARANTINED or after.phase is Phase.QUARANTINED:
            return
        probe = isinstance(event, events.Tick) and after.reason is Reason.SLOW_PROBE
        if probe:
            assert policy_of(self.host.roster, after.spec).slow_probe > 0
            assert after.failures > POLICY.max_failures
        seen_up = isinstance(event, events.UnitSeen | events.Resumed)  # an admin started it
        assert probe or seen_up or isinstance(event, RELEASES), heard

    def check_decisions(self, heard):
        before, after = heard.before, heard.after
        assert len(after.decisions) <= REMEMBERED
        if after.failures <= before.failures:
            return
        told = [e for e in heard.effects if isinstance(e, Announce)]
        kinds = [e.type for e in told]
        assert "opmas.agent.recovery" in kinds
        decided = next(d for d in reversed(after.decisions) if "cause" in d.inputs)
        assert decided.inputs["failures"] == after.failures
        assert (after.phase is Phase.QUARANTINED) is ("opmas.agent.quarantined" in kinds)

    @invariant()
    def no_deadline_is_overdue(self):
        for agent in self.host.roster.agents.values():
            at = deadline(agent)
            assert at is None or at > self.host.now, agent

    @invariant()
    def no_remedy_outlives_its_turn(self):
        assert all(a.remedy is None for a in self.host.roster.agents.values())

    @invariant()
    def a_change_is_undone_once_and_only_one_that_can_be_the_cause(self):
        for change in self.host.undone:
            assert change.undo_of is not None
            known = self.undone.setdefault(change.undo_of, change.id)
            assert known == change.id, "undone twice"
            culprit = self.host.roster.changes.get(change.undo_of)
            if culprit is not None:
                assert culprit.state is ChangeState.COMMITTED
                assert culprit.undo_of is None
                assert set(change.agents) <= set(culprit.was_up)

    @invariant()
    def a_dependency_is_restarted_and_never_the_victim(self):
        for agent in self.host.roster.agents.values():
            for decided in agent.decisions:
                if decided.reason == "dependency-restart" and "victim" in decided.inputs:
                    assert agent.name == "db"
                    assert decided.inputs["victim"] in {"web", "api"}

    @invariant()
    def decisions_are_in_order(self):
        for agent in self.host.roster.agents.values():
            times = [d.at for d in agent.decisions]
            assert times == sorted(times)
            assert all(at >= UTC for at in times)


TestLadder = Ladder.TestCase
TestLadder.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@given(
    failures=st.integers(1, 2000),
    cause=st.sampled_from([Reason.CRASHED, Reason.WATCHDOG, Reason.UNHEALTHY]),
    gives_up=st.booleans(),
    wanted=st.booleans(),
    suspect=st.integers(0, 3),
    culprit=st.sampled_from(["", "db"]),
    max_failures=st.integers(0, 20),
    undo_after=st.integers(1, 5),
)
def test_every_failure_has_one_verdict_and_it_ends_or_waits(culprit, suspect, **given_inputs):
    policy = Policy(max_failures=given_inputs["max_failures"])

    inputs = Inputs(suspect=suspect, culprit=culprit, **given_inputs)
    verdict = climb("web", inputs, policy)

    final = verdict.phase in {Phase.FAILED, Phase.QUARANTINED}
    assert final is (verdict.delay is None)
    if verdict.delay is not None and inputs.cause is not Reason.UNHEALTHY:
        assert 0 < verdict.delay <= policy.max_delay * (1 + policy.jitter / 100)
    if verdict.rung is Step.BACKOFF:
        assert inputs.failures <= inputs.max_failures


@settings(deadline=None, max_examples=60)
@given(
    first=st.integers(1, 60),
    most=st.integers(0, 8),
    jitter=st.integers(0, 90),
    burst=st.integers(1, 5),
)
def test_an_agent_that_never_works_is_left_alone_after_its_tries(first, most, jitter, burst):
    policy = Policy(first_delay=first, max_delay=120, max_failures=most, jitter=jitter)
    host = Host(Roster({"web": running()}, policy=policy, budget=Budget(burst, 6.0)))
    host.fails.add("web")

    host.use_up("web", 1)
    host.settle()
    host.pass_time(24 * 3600.0)

    agent = host.roster.agents["web"]
    assert agent.phase is Phase.QUARANTINED
    assert len(host.starts) == most
    gaps = [b.at - a.at for a, b in zip(host.starts, host.starts[1:], strict=False)]
    assert all(gap >= min(first, 120) * (1 - jitter / 100) for gap in gaps)


def test_agents_that_lose_one_server_come_back_within_the_budget_of_the_host():
    names = [f"web-{n}" for n in range(200)]
    fleet = {name: running(name, spec=spec(name)) for name in names}
    host = Host(Roster(fleet, policy=Policy(), budget=Budget(20, 60.0)))

    for name in names:
        host.use_up(name, 1)
    host.settle()
    host.pass_time(600.0)
    host.settle()

    assert all(a.phase is Phase.RUNNING for a in host.roster.agents.values())
    times = [start.at for start in host.starts]
    assert len(times) == 200
    for at in times:
        assert sum(1 for other in times if at <= other < at + 10.0) <= 20 + 10 + 1
