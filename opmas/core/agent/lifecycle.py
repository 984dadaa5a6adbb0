"""The life of one agent: its next phase, and what to do about it.

Rule 1: phase changes are rows of TRANSITIONS. Four are decided in code: a unit that went down
        (`_settle`), a stop that a start or a removal follows (`_stopped`), the first look
        after the manager came up (`_resume`), and a pause for a change (`_pause`, standby.py).
Rule 2: no I/O, no clock, no logging, no timers. Facts come in as events and `now`, wishes go
        out as effects; deadlines are values that `deadline` names.
Rule 3: systemd is right. A command that does not fit is refused with `TransitionError`; an
        observation never is, and one without a row changes nothing.
Rule 4: an admin's `systemctl stop` is honoured: the agent is held until somebody starts it, or
        until the host boots again, as for any other unit.

`now` is the machine's monotonic time in seconds. It goes on over a restart of the manager and
starts anew with each boot, so a saved instant is only good within its boot.

A unit that is seen down is believed only after SETTLE: systemd 252 shows every automatic restart
as failed/failed first, and the job that tells a `systemctl stop` from an exit ends a moment later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opmas.core import events
from opmas.core.agent.jobnews import START_GRACE, foreign_job_ended, job_issued
from opmas.core.agent.moves import enter, queue, shown
from opmas.core.agent.news import exit_news, phase_news
from opmas.core.agent.standby import needs_met, needs_unmet, unpause
from opmas.core.agent.state import (
    DOWN,
    LIVE,
    TRANSITIONS,
    Agent,
    Fact,
    Pending,
    Then,
    fact,
    may_be_tried,
)
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.agent.ties import blamed
from opmas.core.agent.wish import booted, was_starting, wish
from opmas.core.events import Forget, Prepare, StartUnit, StopUnit
from opmas.core.health.assessment import judged, learned, not_alive
from opmas.core.health.recall import unheard
from opmas.core.recovery.failure import (
    failed,
    forgiven,
    is_due,
    rearmed,
    reason_up,
    refused,
    respecified,
    retried,
    with_release,
)
from opmas.errors import TransitionError

if TYPE_CHECKING:
    from opmas.core.events import Effect, Event
    from opmas.core.recovery.context import Context
    from opmas.core.unit.state import UnitState

SETTLE: Final = 0.3  # seconds; above RestartSec=100ms of the template
STOP_GRACE: Final = 5.0  # seconds in which a stop that was asked for must show in the unit
CALL_GRACE: Final = 60.0  # seconds in which systemd's answer to a call is there, or a refusal


Decision = tuple[Agent, tuple["Effect", ...]]
__all__ = ["SETTLE", "START_GRACE", "STOP_GRACE", "Decision", "decide"]


def decide(agent: Agent, event: Event, now: float, context: Context) -> Decision:
    """Return the agent after `event`, and the effects to carry out, in order."""
    agent = replace(agent, let_down=context.let_down(agent))
    lately, news = forgiven(agent, now, context)
    after, effects = _step(blamed(lately), event, now, context)
    seen = judged(agent, after, now)
    after, more = _kept_alive(seen, event, now, context)
    return with_release(after, context), (*news, *phase_news(agent, seen), *effects, *more)


def _kept_alive(agent: Agent, event: Event, now: float, context: Context) -> Decision:
    """Return the agent on its way down when the check of its life failed, to be started again."""
    if not isinstance(event, events.Probed) or not not_alive(agent):
        return agent, ()
    wanted = agent.spec.desired is Desired.RUNNING and agent.pending is Pending.NOTHING
    left = agent.paused or context.in_change or context.excused(agent, Reason.UNHEALTHY)
    if not wanted or agent.phase is not Phase.RUNNING or left:
        return agent, ()
    after, effects = _stop(agent, now, Reason.UNHEALTHY)
    after = judged(agent, after, now)
    return after, (*phase_news(agent, after), *effects)


def _step(  # noqa: C901, PLR0911, PLR0912 -- one case an event
    agent: Agent, event: Event, now: float, context: Context
) -> Decision:
    match event:
        case events.Start() | events.Stop() | events.Restart() | events.Remove():
            return _command(agent, event, now)
        case events.UnitSeen(state=unit):
            return _observe(agent, unit, now)
        case events.Resumed(state=unit, same_boot=same_boot):
            after, effects = _resume(unheard(agent, now), unit, now, same_boot=same_boot)
            return rearmed(after, now, context), effects
        case events.JobIssued(job_id=job_id):
            return job_issued(agent, job_id, now), ()
        case events.JobEnded():
            return _job_ended(agent, event, now)
        case events.CallRefused():
            return refused(agent, event, now, context), ()
        case events.PackageSeen(present=present):
            return _package_seen(replace(agent, package_present=present), now)
        case events.Paused():
            return _pause(replace(agent, paused=True), now)
        case events.Unpaused():
            return unpause(replace(agent, paused=False), now), ()
        case events.NeedsUnmet(message=message):
            return needs_unmet(agent, message, now), ()
        case events.NeedsMet():
            return needs_met(agent, now), ()
        case events.Respecified():
            return respecified(agent, event, now, context), ()
        case events.Renew(message=message):
            return _renew(agent, message, now)
        case events.Turn(digest=digest):
            return _turn(agent, digest, now)
        case events.HealthReported() | events.Probed() | events.Linked() | events.Pressed():
            return learned(agent, event, now), ()
        case events.Tick():
            return _tick(agent, now, context)


def _command(agent: Agent, command: events.Command, now: float) -> Decision:
    target = TRANSITIONS[agent.phase].get(type(command))
    verb = type(command).__name__.lower()
    if target is None or agent.then in {Then.REMOVE, Then.PURGE}:
        raise TransitionError(f'cannot {verb} agent "{agent.name}": it is being removed')
    starts = isinstance(command, events.Start | events.Restart)
    if starts and not agent.package_present:
        raise TransitionError(
            f'cannot {verb} agent "{agent.name}": its package "{agent.spec.package}" is not'
            f" installed: apt install opmas-agent-{agent.spec.package}"
        )
    agent = wish(agent, command)
    if agent.paused and starts:  # started when the change is over
        return replace(agent, then=Then.NOTHING), ()
    if target is Phase.STOPPING:
        return _stop(agent, now)
    if target is Phase.STOPPED:
        return _stopped(agent, now)
    if target is agent.phase and agent.phase in LIVE:
        ours = Reason.READY if agent.reason is Reason.SYSTEMCTL else agent.reason
        return replace(agent, reason=ours), ()
    return queue(agent, Reason.REQUESTED, now), ()


def _turn(agent: Agent, digest: str, now: float) -> Decision:
    if agent.pending is not Pending.QUEUED:
        return agent, ()
    started = replace(
        agent, pending=Pending.START, started_with=digest, jobs=frozenset(), foreign_job=False,
        settle_at=now + CALL_GRACE,
    )  # fmt: skip
    # A loaded unit remembers its starts, and systemd's start limit counts ours too.
    return started, (Prepare(agent.name), StartUnit(agent.name, reset=agent.unit is not None))


def _stop(agent: Agent, now: float, reason: Reason = Reason.REQUESTED) -> Decision:
    if agent.pending is Pending.QUEUED and fact(agent.unit) in DOWN:  # not asked of systemd yet
        return _stopped(agent, now)
    agent = enter(agent, Phase.STOPPING, reason, now)
    agent = replace(agent, pending=Pending.STOP, settle_at=None, jobs=frozenset(), stop_done=False)
    return agent, (StopUnit(agent.name),)


def _renew(agent: Agent, message: str, now: float) -> Decision:
    """Return the agent on its way down and up again, for another's sake."""
    if agent.phase not in {Phase.RUNNING, Phase.RELOADING} or agent.pending is not Pending.NOTHING:
        return agent, ()
    agent = replace(agent, then=Then.START, renewed_at=now)
    agent, effects = _stop(agent, now, Reason.DEPENDENCY_RESTART)
    return replace(agent, message=message), effects


def _pause(agent: Agent, now: float) -> Decision:
    """Return the agent on its way down for a change; what waits to be started stays down."""
    if agent.then in {Then.REMOVE, Then.PURGE} or agent.pending is Pending.STOP:
        return agent, ()
    if agent.phase in LIVE:
        return _stop(replace(agent, then=Then.NOTHING), now, Reason.CHANGE)
    return agent, ()


def _stopped(agent: Agent, now: float) -> Decision:
    """Return what follows when the unit is down because we wanted it down."""
    then, why = agent.then, agent.reason
    if why is Reason.UNHEALTHY and agent.phase is Phase.STOPPING and _is_wanted(agent):
        return replace(agent, pending=Pending.NOTHING, settle_at=now), ()  # the ladder's next
    agent = replace(
        agent,
        pending=Pending.NOTHING,
        then=Then.NOTHING,
        settle_at=None,
        retry_at=None,
        foreign_job=False,
    )
    wanted = agent.spec.desired is Desired.RUNNING and agent.package_present
    if (then is Then.START or wanted) and not agent.paused:
        # wanted, though it was stopped: its package went, and came back meanwhile
        renewed = why is Reason.DEPENDENCY_RESTART
        return queue(agent, why if renewed else Reason.REQUESTED, now), ()
    reason = Reason.REQUESTED if agent.package_present else Reason.PACKAGE_MISSING
    agent = enter(agent, Phase.STOPPED, Reason.CHANGE if agent.paused else reason, now)
    if then in {Then.REMOVE, Then.PURGE}:
        return replace(agent, then=then), (Forget(agent.name, purge=then is Then.PURGE),)
    return agent, ()


def _is_wanted(agent: Agent) -> bool:
    wanted = agent.spec.desired is Desired.RUNNING and agent.package_present
    return wanted and agent.then is Then.NOTHING and not agent.paused


def _observe(agent: Agent, unit: UnitState | None, now: float) -> Decision:
    exits = exit_news(agent, unit)
    agent = shown(agent, unit, now)
    if exits is not None:
        agent = replace(agent, last_exit=unit)
    effects = () if exits is None else (exits,)
    seen = fact(unit)
    if seen in DOWN:
        after, more = _down(agent, now)
        return after, (*effects, *more)
    if agent.paused and agent.pending is Pending.NOTHING and seen is not Fact.DEACTIVATING:
        after, more = _stop(agent, now, Reason.CHANGE)  # the change still needs it down
        return after, (*effects, *more)
    if agent.phase in {Phase.FAILED, Phase.QUARANTINED} and agent.pending is Pending.NOTHING:
        agent = replace(agent, failures=0)  # somebody else started it: that releases it, too
    if agent.held and seen is not Fact.DEACTIVATING:
        agent = replace(agent, held=False)  # that ends a hold, whatever becomes of the start
    return _up(agent, seen, now), effects


def _up(agent: Agent, seen: Fact, now: float) -> Agent:
    if agent.pending is Pending.STOP and seen is not Fact.DEACTIVATING:
        if agent.settle_at is None:  # systemd has not come to our stop yet, or it is lost
            agent = replace(agent, settle_at=now + STOP_GRACE)
        return agent
    if agent.pending is Pending.STOP:
        agent = replace(agent, settle_at=None)
    if seen is Fact.ACTIVE:
        agent = _running(agent)
    elif seen is not Fact.DEACTIVATING:
        agent = replace(agent, settle_at=None, retry_at=None, foreign_job=False)
    phase = TRANSITIONS[agent.phase][seen]
    return enter(agent, phase, reason_up(agent, seen, phase), now)


def _running(agent: Agent) -> Agent:
    """Return the agent whose unit is up: nothing that led there matters any more."""
    then = Then.NOTHING if agent.then is Then.START else agent.then
    return replace(
        agent,
        then=then,
        held=False,
        pending=Pending.NOTHING,
        settle_at=None,
        retry_at=None,
        foreign_job=False,
        refusals=0,
        message="",
        jobs=frozenset(),
    )


def _down(agent: Agent, now: float) -> Decision:
    if agent.phase not in LIVE or agent.pending is Pending.QUEUED:
        return agent, ()
    if agent.pending is Pending.STOP and (agent.stop_done or _is_inactive(agent)):
        return _stopped(agent, now)
    # of an exit just before our stop: until that is done, systemd may start it again
    if agent.settle_at is None or agent.pending is Pending.STOP:
        agent = replace(agent, settle_at=now + SETTLE)
    return agent, ()


def _is_inactive(agent: Agent) -> bool:
    """Return whether the unit is down and stays so: with a job it may be about to start, as when
    a stop was asked for just after the start.
    """
    has_job = agent.unit is not None and agent.unit.job_id != 0
    return fact(agent.unit) is Fact.INACTIVE and not has_job


def _tick(agent: Agent, now: float, context: Context) -> Decision:
    if agent.settle_at is not None and now >= agent.settle_at:
        if agent.unit is not None and agent.unit.job_id:
            return replace(agent, settle_at=now + SETTLE), ()  # its job will tell
        if agent.pending is Pending.STOP:
            return _stop(agent, now, agent.reason)  # the one before was refused, or replaced
        return _settle(agent, now, context)
    if is_due(agent, now) and may_be_tried(agent):
        return retried(agent, now, context)
    return agent, ()


def _settle(agent: Agent, now: float, context: Context) -> Decision:
    """Return the agent whose unit stayed down: held, ended by itself, or failed."""
    started = agent.pending is Pending.START
    agent = replace(agent, settle_at=None, pending=Pending.NOTHING, jobs=frozenset())
    seen = fact(agent.unit)
    if seen not in DOWN:
        return agent, ()
    if agent.then is Then.START and not agent.paused:  # asked for while it went down
        return queue(replace(agent, foreign_job=False), Reason.REQUESTED, now), ()
    unwell = agent.phase is Phase.STOPPING and agent.reason is Reason.UNHEALTHY
    if not unwell and agent.let_down and seen is Fact.INACTIVE:
        return enter(replace(agent, foreign_job=False), Phase.STOPPED, Reason.DEPENDENCY, now), ()
    stopped = agent.foreign_job and (seen is Fact.INACTIVE or agent.phase is Phase.STOPPING)
    if unwell or (not stopped and (seen is Fact.FAILED or started)):
        return failed(agent, now, context)
    if stopped:
        agent = replace(agent, held=True, foreign_job=False)
        return enter(agent, Phase.STOPPED, Reason.HELD, now), ()
    return enter(agent, Phase.STOPPED, Reason.CLEAN_EXIT, now), ()


def _job_ended(agent: Agent, event: events.JobEnded, now: float) -> Decision:
    unit = agent.unit
    if unit is not None and unit.job_id == event.job_id:
        agent = replace(agent, unit=replace(unit, job_id=0))
    ours = event.job_id in agent.jobs
    seen = fact(unit)
    if agent.pending is Pending.STOP and seen in DOWN and (ours or event.result == "done"):
        return _stopped(agent, now)  # it was down before our stop: no more is seen of it
    if not ours:
        return foreign_job_ended(agent, event, now), ()
    if agent.pending is Pending.STOP:
        if event.result == "done":
            return replace(agent, stop_done=True), ()
        return replace(agent, settle_at=now + STOP_GRACE), ()  # asked again, if it is up then
    if agent.pending is not Pending.START or event.result == "done":
        return agent, ()
    canceled = event.result == "canceled"  # somebody else's stop replaced our start
    agent = replace(agent, pending=Pending.NOTHING, foreign_job=canceled)
    if not canceled and seen is Fact.INACTIVE:
        agent = replace(agent, pending=Pending.START)  # no run to look at: the job itself failed
    return (replace(agent, settle_at=now + SETTLE) if seen in DOWN else agent), ()


def _package_seen(agent: Agent, now: float) -> Decision:
    if agent.phase is Phase.QUARANTINED:  # it stays so, and is not tried without
        why = Reason.CRASH_LOOP if agent.package_present else Reason.PACKAGE_MISSING
        return replace(agent, reason=why), ()
    if agent.package_present:
        down = agent.phase in {Phase.STOPPED, Phase.FAILED}
        waits = down and agent.reason is Reason.PACKAGE_MISSING
        if waits and not agent.paused and agent.spec.desired is Desired.RUNNING:
            return queue(agent, Reason.REQUESTED, now), ()
        return agent, ()
    if agent.phase in LIVE and agent.pending is not Pending.STOP:
        return _stop(agent, now)
    if agent.phase in {Phase.REGISTERED, Phase.BACKOFF} and agent.spec.desired is Desired.RUNNING:
        return _stopped(agent, now)
    return agent, ()


def _resume(agent: Agent, unit: UnitState | None, now: float, *, same_boot: bool) -> Decision:
    """Return what follows from the first look at the unit."""
    if not same_boot:
        agent = booted(agent, now)
    exits = exit_news(agent, unit)
    last_exit = agent.last_exit if exits is None else unit
    agent = replace(shown(agent, unit, now), last_exit=last_exit)
    agent = replace(agent, jobs=frozenset(), foreign_job=False, settle_at=None)
    after, effects = _resumed(agent, unit, now)
    return after, effects if exits is None else (exits, *effects)


def _resumed(agent: Agent, unit: UnitState | None, now: float) -> Decision:
    if agent.then in {Then.REMOVE, Then.PURGE} or agent.pending is Pending.STOP:
        why = agent.reason if agent.phase is Phase.STOPPING else Reason.REQUESTED
        return _stopped(agent, now) if fact(unit) in DOWN else _stop(agent, now, why)
    if fact(unit) not in DOWN and agent.paused:
        return _stop(replace(agent, pending=Pending.NOTHING), now, Reason.CHANGE)
    if fact(unit) not in DOWN:
        return _up(replace(agent, pending=Pending.NOTHING), fact(unit), now), ()
    if was_starting(agent) and not agent.paused:
        why = agent.reason if agent.phase is Phase.STARTING else Reason.BOOT
        return queue(agent, why, now), ()
    if agent.phase not in LIVE:
        return agent, ()
    # It ran when the manager went away, and is down now. systemd brings a crashed agent back or
    # shows it failed; an inactive one was stopped, and `systemctl` is the only other way.
    agent = replace(agent, settle_at=now, foreign_job=True, pending=Pending.NOTHING)
    return agent, ()
