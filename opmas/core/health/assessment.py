"""How an agent does: a function of the facts about it, which names those that it rests on.

Each fact has a status of its own; the worst of them is the agent's, damped (`damping.py`). What
is not known is worse than well: nobody is called healthy on a report of long ago. Ready and alive
are other questions: *ready* is one that came up and serves, *alive* one whose process runs and
does not fail a check of its life.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core import events
from opmas.core.agent.terms import Health, Phase
from opmas.core.health.damping import Damping, damped, down
from opmas.core.health.report import RANK, Report, worst
from opmas.core.health.vitals import Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.core.agent.state import Agent

UP: Final = frozenset({Phase.RUNNING, Phase.RELOADING})
RUNS: Final = frozenset({"activating", "active", "reloading", "refreshing", "deactivating"})
STALE: Final = 90.0  # seconds; an agent says its health every 30 while it is connected
WINDOW: Final = 600.0  # seconds in which exits are counted
RESTARTS_OFTEN: Final = "restarts-often"
RESTARTS: Final = 3  # exits within the window from which on an agent does not do well
EXITS_KEPT: Final = 5


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the health rests on; `at` is when it was learned, None for what just is."""

    name: str
    status: Health
    code: str
    message: str
    source: str  # who says so: agent, probe, systemd, kernel, opmas
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What follows from the facts; `due` is when time alone may change it."""

    status: Health
    ready: bool
    alive: bool
    message: str = ""
    facts: tuple[Fact, ...] = ()
    due: float | None = None


def learned(
    agent: Agent,
    event: events.HealthReported | events.Probed | events.Linked | events.Pressed,
    now: float,
) -> Agent:
    """Return the agent with one more fact of its health."""
    vitals = agent.vitals
    match event:
        case events.HealthReported(report=report):
            vitals = replace(vitals, reported=Said(report, now))
        case events.Probed(report=report):
            passed = vitals.passed or report.status is Health.HEALTHY
            vitals = replace(vitals, probed=Said(report, now), passed=passed)
        case events.Linked(connected=connected):
            vitals = replace(vitals, linked=connected, linked_at=now)
        case events.Pressed(signs=signs):
            vitals = replace(vitals, signs=signs, signs_at=now)
    return replace(agent, vitals=vitals)


def not_alive(agent: Agent) -> bool:
    """Return whether a running agent failed the check of its life so often that it is to be
    started again.
    """
    vitals = agent.vitals
    failed = vitals.probed is not None and vitals.probed.report.status is Health.UNHEALTHY
    return agent.phase in UP and vitals.traits.liveness and failed


def own_word(agent: Agent) -> Report | None:
    """Return what the agent says of itself, or its probe for it: the worse, None for nothing."""
    said = [s.report for s in (agent.vitals.reported, agent.vitals.probed) if s is not None]
    return max(said, key=lambda report: RANK[report.status], default=None)


def assess(agent: Agent, now: float) -> Assessment:
    """Return how the agent does at this instant."""
    facts = tuple(_facts(agent, now))
    return _assessment(agent, facts, _damping(agent, facts, now), now)


def judged(before: Agent, agent: Agent, now: float) -> Agent:
    """Return the agent with what follows from a step for its health."""
    agent = _noted_exit(before, agent, now)
    facts = tuple(_facts(agent, now))
    damping = _damping(agent, facts, now)
    assessment = _assessment(agent, facts, damping, now)
    well = agent.phase in UP and _came_up(agent) and assessment.status is not Health.UNHEALTHY
    since = (now if agent.well_since is None else agent.well_since) if well else None
    return replace(agent, damping=damping, assessment=assessment, well_since=since)


def _damping(agent: Agent, facts: tuple[Fact, ...], now: float) -> Damping:
    if agent.phase not in UP:
        return down(agent.damping)
    return damped(agent.damping, worst(fact.status for fact in facts), now)


def _assessment(agent: Agent, facts: tuple[Fact, ...], damping: Damping, now: float) -> Assessment:
    alive = _process_runs(agent) and not not_alive(agent)
    status = damping.status
    if status is None:  # it is not up
        return Assessment(Health.UNKNOWN, ready=False, alive=alive, facts=facts)
    message = _message(facts, status)
    if damping.better is not None:
        now_is = worst(fact.status for fact in facts)
        message = f"flapping: it is {now_is} now, and was {status} too often lately"
        held = Fact("flapping", status, "flapping", message, "opmas", damping.better_since)
        facts = (*facts, held)
    ready = _came_up(agent) and status is not Health.UNHEALTHY
    return Assessment(status, ready, alive, message, facts, _due(agent, now, damping.due))


def _noted_exit(before: Agent, agent: Agent, now: float) -> Agent:
    last = agent.last_exit
    if last is None or last is before.last_exit:
        return agent
    vitals = agent.vitals
    exits = (*vitals.exits, now)[-EXITS_KEPT:]
    hung_at = now if last.result == "watchdog" else vitals.hung_at
    return replace(agent, vitals=replace(vitals, exits=exits, hung_at=hung_at))


def _process_runs(agent: Agent) -> bool:
    return agent.unit is not None and agent.unit.active_state in RUNS and agent.unit.main_pid > 0


def _came_up(agent: Agent) -> bool:
    """Return whether it said that it is ready, and its check has succeeded once if it has one."""
    return agent.vitals.passed or not agent.vitals.traits.check


def _facts(agent: Agent, now: float) -> Iterator[Fact]:
    yield _unit(agent)
    yield from _watchdog(agent)
    ended = exits(agent, now)
    if ended is not None:
        yield ended
    if agent.phase not in UP:
        return
    yield _readiness(agent)
    yield from _reported(agent, now)
    yield from _probed(agent)
    yield from _progress(agent)
    for sign in agent.vitals.signs:
        at = agent.vitals.signs_at
        yield Fact(f"pressure/{sign.code}", Health.DEGRADED, sign.code, sign.message, "kernel", at)
    for lack in agent.vitals.lacks:
        name = f"dependency/{lack.agent}"
        yield Fact(name, Health.DEGRADED, "dependency-down", lack.why, "opmas", lack.at)


def _unit(agent: Agent) -> Fact:
    unit = agent.unit
    state = "inactive" if unit is None else unit.active_state
    message = "not loaded" if unit is None else f"{unit.active_state} ({unit.sub_state})"
    status = Health.HEALTHY if agent.phase in UP else Health.UNKNOWN
    return Fact("unit", status, state, message, "systemd", agent.since)


def _watchdog(agent: Agent) -> Iterator[Fact]:
    period, hung_at = agent.vitals.traits.watchdog, agent.vitals.hung_at
    if hung_at is not None:
        message = "its watchdog ran out, and it was started again"
        yield Fact("watchdog", Health.HEALTHY, "ran-out", message, "systemd", hung_at)
    elif period:
        message = f"fed at least every {period:g} s"
        yield Fact("watchdog", Health.HEALTHY, "fed", message, "systemd")


def exits(agent: Agent, now: float) -> Fact | None:
    """Return the fact that the agent ended by itself lately, None when it did not."""
    lately = [at for at in agent.vitals.exits if at + WINDOW > now]
    if not lately:
        return None
    often = len(lately) >= RESTARTS
    more = "at least " if len(lately) == EXITS_KEPT else ""
    times = "once" if len(lately) == 1 else f"{more}{len(lately)} times"
    message = f"it ended by itself {times} in {WINDOW / 60:g} minutes"
    status = Health.DEGRADED if often else Health.HEALTHY
    code = RESTARTS_OFTEN if often else "restarted"
    return Fact("restarts", status, code, message, "systemd", lately[-1])


def _readiness(agent: Agent) -> Fact:
    if _came_up(agent):
        return Fact("readiness", Health.HEALTHY, "ready", "", "systemd", agent.since)
    message = "its health check has not succeeded yet"
    return Fact("readiness", Health.UNKNOWN, "not-ready", message, "probe", agent.since)


def _reported(agent: Agent, now: float) -> Iterator[Fact]:
    said = agent.vitals.reported
    if said is None:
        return
    stale_at = _stale_at(agent)
    if stale_at is not None and stale_at <= now:
        message = f"it said {said.report.status}, and is not heard any more"
        yield Fact("report", Health.UNKNOWN, "stale", message, "agent", said.at)
        return
    report = said.report
    yield Fact("report", report.status, "reported", report.message, "agent", said.at)
    for check in report.checks:
        yield Fact(
            f"report/{check.name}", check.status, check.code, check.message, "agent", said.at
        )


def _stale_at(agent: Agent) -> float | None:
    """Return when its last report is too old to be believed, None while it is connected."""
    vitals = agent.vitals
    if vitals.reported is None or vitals.linked is not False:
        return None
    return vitals.linked_at + STALE


def _probed(agent: Agent) -> Iterator[Fact]:
    said = agent.vitals.probed
    if said is not None:
        report = said.report
        codes = {Health.HEALTHY: "check-passed", Health.UNKNOWN: "no-result"}
        code = codes.get(report.status, "check-failed")
        yield Fact("probe", report.status, code, report.message, "probe", said.at)
    elif agent.vitals.traits.check:
        message = "its health check has no result yet"
        yield Fact("probe", Health.UNKNOWN, "no-result", message, "probe")


def _progress(agent: Agent) -> Iterator[Fact]:
    advance = agent.vitals.advance
    if advance is not None:
        steps = "1 step" if advance.steps == 1 else f"{advance.steps} steps"
        message = f"{steps} in this run"
        yield Fact("progress", Health.HEALTHY, "progress", message, "agent", advance.at)


def _message(facts: tuple[Fact, ...], status: Health) -> str:
    """Return what is said by those facts that make it what it is, most important first."""
    if status is Health.HEALTHY:
        words = [fact.message for fact in facts if fact.name == "report"]
    else:
        bad = [fact for fact in facts if fact.status is status]
        whole = any(fact.name == "report" and fact.message for fact in bad)
        words = [f.message for f in bad if not (whole and f.name.startswith("report/"))]
    return "; ".join(dict.fromkeys(word for word in words if word))


def _due(agent: Agent, now: float, damping_due: float | None) -> float | None:
    exits = agent.vitals.exits
    calm_at = exits[-RESTARTS] + WINDOW if len(exits) >= RESTARTS else None
    times = (_stale_at(agent), calm_at, damping_due)
    return min((at for at in times if at is not None and at > now), default=None)
