"""What is done about an agent that systemd gave up: the ladder's verdict, made so.

systemd restarts a crashed agent by itself, at once, until its start limit. Only then is an agent
seen as down, and `failed` decides, by the table of `ladder.py`. Each decision is kept with the
agent, and told as an event, with all that it rests on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.moves import enter, queue
from opmas.core.agent.state import COMES_UP, DOWN, Agent, Fact, Pending, Then, fact
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.events import Announce
from opmas.core.recovery.decided import Decided, remembered
from opmas.core.recovery.ladder import Inputs, Step, backoff, climb, ordinal, probe_delay
from opmas.core.unit.exits import exit_text, gives_up

if TYPE_CHECKING:
    from opmas.core import events
    from opmas.core.events import Effect
    from opmas.core.recovery.budget import Budget
    from opmas.core.recovery.context import Context
    from opmas.core.recovery.ladder import Verdict
    from opmas.core.unit.state import UnitState

    Decision = tuple[Agent, tuple[Effect, ...]]


RESULT_REASONS: Final = {  # the Result property, org.freedesktop.systemd1(5)
    "watchdog": Reason.WATCHDOG,
    "timeout": Reason.TIMEOUT,
    "oom-kill": Reason.OUT_OF_MEMORY,
    "start-limit-hit": Reason.START_LIMIT,
    "resources": Reason.UNIT_ERROR,
}


def failed(agent: Agent, now: float, context: Context) -> Decision:
    """Return the agent after one more failure, as the ladder says."""
    policy = context.policy
    unit = agent.unit
    ends = unit is not None and gives_up(unit, policy.give_up_on)
    cause = Reason.EXIT_CONFIG if ends else cause_of(agent)
    since = agent.failing_since if agent.failures else None
    since = context.utc(now) if since is None else since
    failures = agent.failures + 1
    suspicion = context.suspicion(agent, cause, since, now)
    inputs = Inputs(
        failures=failures,
        cause=cause,
        exit=_exit_of(unit),
        wanted=agent.spec.desired is Desired.RUNNING,
        gives_up=ends,
        suspect=suspicion.change,
        why_not=suspicion.why_not,
        culprit=context.culprit(agent, now),
        max_failures=policy.max_failures,
        undo_after=policy.undo_after,
        slow_probe=policy.slow_probe,
        first_delay=policy.first_delay,
        max_delay=policy.max_delay,
        jitter=policy.jitter,
    )
    verdict = climb(agent.name, inputs, policy)
    agent = replace(
        agent,
        failures=failures,
        failing_since=since,
        retry_at=None if verdict.delay is None else now + verdict.delay,
        remedy=verdict.remedy,
        foreign_job=False,
    )
    agent = enter(agent, verdict.phase, verdict.reason, now)
    if verdict.remedy is not None:
        agent = replace(agent, message=verdict.fact)
    elif verdict.rung is Step.CONFIG and unit is not None:
        agent = replace(agent, message=unit.status_text)  # what is to be mended, in its own words
    agent, news = _told(agent, verdict, inputs, context.utc(now))
    if verdict.delay != 0:
        return agent, news
    agent, more = retried(agent, now, context)
    return agent, (*news, *more)


def _told(agent: Agent, verdict: Verdict, inputs: Inputs, at: float) -> Decision:
    facts = [f"It failed for the {ordinal(inputs.failures)} time in a row: {inputs.cause}."]
    if inputs.exit:
        facts.append(f"Its main process {inputs.exit}.")
    if verdict.fact:
        facts.append(verdict.fact)
    if not inputs.suspect:
        facts.append(f"No change is the likely cause: {inputs.why_not}.")
    decided = Decided(
        at, str(verdict.rung), str(verdict.reason), verdict.delay, tuple(facts), inputs.dump()
    )
    agent, news = decide_so(agent, decided)
    if verdict.rung is not Step.QUARANTINE:
        return agent, news
    data: dict[str, Any] = {
        "failures": inputs.failures,
        "cause": str(inputs.cause),
        "retry_in": verdict.delay,
    }
    return agent, (*news, Announce("opmas.agent.quarantined", f"agent/{agent.name}", data))


def decide_so(agent: Agent, decided: Decided) -> Decision:
    """Return the agent that remembers the decision, and the event that tells it."""
    data: dict[str, Any] = {
        "rung": decided.rung,
        "reason": decided.reason,
        "delay": decided.delay,
        "facts": list(decided.facts),
        "inputs": decided.inputs,
    }
    news = Announce("opmas.agent.recovery", f"agent/{agent.name}", data)
    return replace(agent, decisions=remembered(agent.decisions, decided)), (news,)


def forgiven(agent: Agent, now: float, context: Context) -> Decision:
    """Return the agent without its failures, when it has done well long enough since."""
    at = _forgiven_at(agent, context)
    if at is None or agent.well_since is None or now < at:
        return agent, ()
    well = now - agent.well_since
    times = "1 failure is" if agent.failures == 1 else f"{agent.failures} failures are"
    fact_ = f"It has done well for {well:.0f} s: its {times} forgotten."
    inputs = {"failures": agent.failures, "well": well, "reset_after": context.policy.reset_after}
    decided = Decided(
        context.utc(now), str(Step.RELEASE), str(agent.reason), None, (fact_,), inputs
    )
    return decide_so(replace(agent, failures=0, failing_since=None), decided)


def with_release(agent: Agent, context: Context) -> Agent:
    """Return the agent that knows when its failures are to be forgotten."""
    return replace(agent, forgiven_at=_forgiven_at(agent, context))


def _forgiven_at(agent: Agent, context: Context) -> float | None:
    if not agent.failures or agent.well_since is None:
        return None
    return agent.well_since + context.policy.reset_after


def retried(agent: Agent, now: float, context: Context) -> Decision:
    """Return the agent whose time to be tried again has come: started, if the host's budget has
    room, else with its place in the line.
    """
    if agent.phase is Phase.QUARANTINED:
        return _probed(agent, now, context)
    at = context.budget.at(now)
    if not needs_budget(agent) or at <= now:
        return queue(agent, Reason.AUTO_RESTART, now), ()
    place = enter(replace(agent, retry_at=at), Phase.BACKOFF, Reason.BUDGET, now)
    return decide_so(place, _waiting(agent, context.budget, at - now, context.utc(now)))


def _waiting(agent: Agent, budget: Budget, delay: float, at: float) -> Decided:
    fact_ = f"The host's budget of restarts is used up: it is its turn in {delay:.0f} s."
    inputs = {
        "failures": agent.failures,
        "host_burst": budget.burst,
        "host_per_minute": budget.per_minute,
    }
    return Decided(at, str(Step.BACKOFF), str(Reason.BUDGET), delay, (fact_,), inputs)


def _probed(agent: Agent, now: float, context: Context) -> Decision:
    delay = probe_delay(agent.name, agent.failures, context.policy)
    if delay is None:  # the policy is another by now
        return replace(agent, retry_at=None), ()
    if not context.budget.is_free(now):
        return replace(agent, retry_at=now + delay), ()
    decided = Decided(
        context.utc(now),
        str(Step.PROBE),
        str(Reason.SLOW_PROBE),
        None,
        ("It is tried once, to see whether the cause is gone.",),
        {"failures": agent.failures, "slow_probe": context.policy.slow_probe},
    )
    agent, news = decide_so(agent, decided)
    return queue(agent, Reason.SLOW_PROBE, now), news


def needs_budget(agent: Agent) -> bool:
    """Return whether the next try of the agent counts: it failed, and has no place in the line."""
    return agent.failures > 0 and agent.reason is not Reason.BUDGET


def took_place(before: Agent, after: Agent) -> bool:
    """Return whether a step took of the host's budget: a start, or a place in the line for one."""
    if not after.failures or before.reason is Reason.BUDGET:
        return False
    queued = after.pending is Pending.QUEUED and before.pending is not Pending.QUEUED
    started = queued and after.reason in {Reason.AUTO_RESTART, Reason.SLOW_PROBE}
    return started or after.reason is Reason.BUDGET


def is_due(agent: Agent, now: float) -> bool:
    """Return whether the time to try an agent again has come."""
    return agent.retry_at is not None and now >= agent.retry_at


def rearmed(agent: Agent, now: float, context: Context) -> Agent:
    """Return a quarantined agent with its next slow probe as the policy has it now."""
    if agent.phase is not Phase.QUARANTINED or agent.held:
        return agent
    delay = probe_delay(agent.name, agent.failures, context.policy)
    if delay is None:
        return replace(agent, retry_at=None)
    return agent if agent.retry_at is not None else replace(agent, retry_at=now + delay)


def respecified(agent: Agent, event: events.Respecified, now: float, context: Context) -> Agent:
    """Return the agent under its present policy; one that is another by now than the one that
    failed is on its way up.
    """
    agent = rearmed(agent, now, context)
    return _released(agent, now) if event.releases else agent


def _released(agent: Agent, now: float) -> Agent:
    wanted = agent.spec.desired is Desired.RUNNING and agent.package_present
    down = agent.phase in {Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED}
    if not down or not wanted or agent.paused or agent.held or agent.then is not Then.NOTHING:
        return agent
    agent = replace(agent, failures=0, failing_since=None, remedy=None)
    return queue(agent, Reason.CHANGE, now)


def refused(agent: Agent, event: events.CallRefused, now: float, context: Context) -> Agent:
    """Return the agent whose start or stop systemd did not take: a start is tried ever more
    rarely, a stop as before, for what is to be down is not left alone.
    """
    if agent.pending not in {Pending.START, Pending.STOP}:
        return agent
    stopping = agent.pending is Pending.STOP
    policy = context.policy
    if stopping and event.retry:
        return replace(agent, settle_at=now + policy.first_delay, message=event.message)
    agent = replace(agent, pending=Pending.NOTHING, then=Then.NOTHING, settle_at=None)
    if stopping:
        seen = fact(agent.unit)
        phase = Phase.STOPPED if seen in DOWN else COMES_UP[seen]
        return replace(enter(agent, phase, event.reason, now), message=event.message)
    phase, retry_at = Phase.FAILED, None
    if event.retry:
        agent = replace(agent, refusals=agent.refusals + 1)
        phase, retry_at = Phase.BACKOFF, now + backoff(agent.name, agent.refusals, policy)
    agent = enter(replace(agent, retry_at=retry_at), phase, event.reason, now)
    return replace(agent, message=event.message)


def cause_of(agent: Agent) -> Reason:
    """Return why an agent that is down failed."""
    if agent.phase is Phase.STOPPING and agent.reason is Reason.UNHEALTHY:
        return Reason.UNHEALTHY  # it ran until we stopped it
    return reason_of(agent.unit)


def reason_of(unit: UnitState | None) -> Reason:
    """Return why the unit went down, in our words."""
    if unit is None or unit.result == "success":
        return Reason.UNIT_ERROR  # it was not even started: a dependency, a condition
    return RESULT_REASONS.get(unit.result, Reason.CRASHED)


def reason_up(agent: Agent, seen: Fact, phase: Phase) -> Reason:
    """Return why the agent enters a phase of a unit that is up, or on its way."""
    if seen is Fact.RESTARTING:
        return Reason.AUTO_RESTART
    if phase is agent.phase:
        return agent.reason
    if phase is Phase.RUNNING:
        ours = agent.spec.desired is Desired.RUNNING
        return Reason.READY if ours else Reason.SYSTEMCTL
    if phase is Phase.RELOADING:
        return Reason.RELOAD
    return _reason_down(agent) if seen is Fact.DEACTIVATING else _reason_starting(agent)


def _reason_starting(agent: Agent) -> Reason:
    ours = agent.pending in {Pending.START, Pending.STOP}
    return Reason.REQUESTED if ours else Reason.SYSTEMCTL


def _reason_down(agent: Agent) -> Reason:
    """Return why a unit goes down: as we asked, by itself, with another, or by somebody's job."""
    unit = agent.unit
    if agent.pending is Pending.STOP:
        return Reason.REQUESTED
    if unit is not None and unit.result != "success":
        return reason_of(unit)
    if agent.pending is Pending.START:
        return Reason.REQUESTED
    if agent.let_down:
        return Reason.DEPENDENCY
    return Reason.SYSTEMCTL if unit is not None and unit.job_id else Reason.CLEAN_EXIT


def _exit_of(unit: UnitState | None) -> str:
    if unit is None or unit.exec_main_code == 0:
        return ""
    return exit_text(unit)
