"""What somebody should know of now: derived from the roster, and told when it begins and ends.

A small read model: `follow` compares the roster before and after a turn, and keeps in the roster
which alerts are up. Alerts are not saved: the event log says which a manager that begins has told
and not taken back, and since when (`begun`). Only what is otherwise since is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.explain import message
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.events import Announce
from opmas.core.health.assessment import RESTARTS, RESTARTS_OFTEN, WINDOW, exits
from opmas.core.recovery.ladder import Step as Rung

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opmas.core.agent.state import Agent
    from opmas.core.roster import Roster

    Alerts = Mapping[str, "Alert"]

SLOWLY: Final = (
    20.0  # seconds for as many exits as are too often; five in 60 end at the start limit
)
UNHEALTHY_FOR: Final = 300.0  # seconds
UNDONE_FOR: Final = 24 * 3600.0  # seconds for which an undo is told; it is done by then
HOST: Final = "host"
RAISED: Final = "opmas.alert.raised"
CLEARED: Final = "opmas.alert.cleared"


class Severity(StrEnum):
    """How much an alert matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Code(StrEnum):
    """What an alert is about: a closed list."""

    QUARANTINED = "quarantined"
    FAILED = "failed"
    UNHEALTHY = "unhealthy"
    UNDONE = "undone"
    RESTARTS = RESTARTS_OFTEN
    NEAR_MEMORY = "near-memory-limit"
    BUDGET = "restart-budget"


SEVERITIES: Final[Mapping[Code, Severity]] = {
    Code.QUARANTINED: Severity.CRITICAL,
    Code.FAILED: Severity.CRITICAL,
    Code.UNHEALTHY: Severity.WARNING,
    Code.UNDONE: Severity.WARNING,
    Code.RESTARTS: Severity.WARNING,
    Code.NEAR_MEMORY: Severity.WARNING,
    Code.BUDGET: Severity.WARNING,
}
WORDS: Final[Mapping[Code, str]] = {
    Code.QUARANTINED: "an agent failed again and again, and is left alone",
    Code.FAILED: "an agent that is wanted running failed, and is not tried again",
    Code.UNHEALTHY: f"an agent has been unhealthy for {UNHEALTHY_FOR / 60:g} minutes",
    Code.UNDONE: "the last change of an agent was undone as the likely cause of its failures,"
    f" within the last {UNDONE_FOR / 3600:g} hours",
    Code.RESTARTS: f"an agent ended by itself {RESTARTS} times or more within"
    f" {WINDOW / 60:g} minutes, and is started again each time",
    Code.NEAR_MEMORY: "an agent is close to its memory limit",
    Code.BUDGET: "more agents wait to be started again than the host allows at once",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to know. `subject` is as in events, `since` in seconds since 1970."""

    code: Code
    subject: str
    message: str
    since: float

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return SEVERITIES[self.code]

    @property
    def key(self) -> str:
        """What identifies it while it is up."""
        return f"{self.code}:{self.subject}"

    def dump(self) -> dict[str, Any]:
        """Return it as a JSON object, but for the instant."""
        return {
            "alert": str(self.code),
            "severity": str(self.severity),
            "subject": self.subject,
            "message": self.message,
        }


def follow(before: Roster, roster: Roster, now: float) -> tuple[Roster, tuple[Announce, ...]]:
    """Return the roster with the alerts that are up now, and what began and what ended.

    Only what can have changed is looked at: agents that are others than before, and those for
    which time matters.
    """
    known = _saved(before, roster, now) if roster.alerts is None else roster.alerts
    agents = roster.agents
    ends = {a.subject for a in known.values() if a.code is Code.UNDONE}  # by time alone
    others = [
        a
        for n, a in agents.items()
        if before.agents.get(n) is not a
        or a.damping.status is Health.UNHEALTHY
        or (ends and f"agent/{n}" in ends)
    ]
    subjects = {f"agent/{agent.name}" for agent in others}
    left = [a for a in known.values() if a.subject not in subjects and _is_there(roster, a)]
    found = {a.key: a for a in (*left, *_looked_at(roster, others, known, now))}
    merged = {
        key: replace(a, since=known[key].since) if key in known else a for key, a in found.items()
    }
    if merged == roster.alerts:
        return roster, ()
    news = [_told(RAISED, a) for key, a in merged.items() if key not in known]
    news += [_told(CLEARED, a) for key, a in known.items() if key not in merged]
    return replace(roster, alerts=merged), tuple(news)


def begun(roster: Roster, past: Iterable[tuple[float, Announce]], now: float) -> Alerts:
    """Return the alerts that are up for a manager that begins with this roster.

    `past` are the events that told of alerts, in order, each with its instant in seconds since
    1970. What the log has lost follows from what was saved, but for what rests on an instant:
    that may be of another boot.
    """
    found = _looked_at(roster, roster.agents.values(), {}, now)
    up = {a.key: a for a in found if a.code is not Code.UNHEALTHY}
    for at, news in past:
        alert = _read(news, at)
        if alert is None:
            continue
        up.pop(alert.key, None)
        if news.type == RAISED:
            up[alert.key] = alert
    return up


def _read(news: Announce, at: float) -> Alert | None:
    """Return the alert that an event told of, None for one of a version that knows more."""
    code, message_ = news.data.get("alert"), str(news.data.get("message", ""))
    return Alert(Code(code), news.subject, message_, at) if code in list(Code) else None


def _saved(before: Roster, roster: Roster, now: float) -> Alerts:
    """Return the alerts that were up when the manager began, by what it knew then."""
    saved = replace(before, utc_offset=roster.utc_offset)
    return {a.key: a for a in _looked_at(saved, saved.agents.values(), {}, now)}


def listed(roster: Roster) -> list[Alert]:
    """Return the alerts that are up, what matters most first."""
    order = list(reversed(Severity))
    up = (roster.alerts or {}).values()
    return sorted(up, key=lambda a: (order.index(a.severity), a.since, a.key))


def _looked_at(
    roster: Roster, agents: Iterable[Agent], known: Alerts, now: float
) -> Iterator[Alert]:
    for agent in agents:
        yield from _of_agent(roster, agent, now)
    yield from _of_host(roster, known, now)


def _is_there(roster: Roster, alert: Alert) -> bool:
    return alert.subject.removeprefix("agent/") in roster.agents


def _of_agent(roster: Roster, agent: Agent, now: float) -> Iterator[Alert]:
    utc = roster.utc_offset + now
    subject = f"agent/{agent.name}"
    wanted = agent.spec.desired is Desired.RUNNING
    if agent.phase is Phase.QUARANTINED:
        yield Alert(Code.QUARANTINED, subject, _failed(agent), utc)
    if agent.phase is Phase.FAILED and wanted and agent.reason is not Reason.PACKAGE_MISSING:
        yield Alert(Code.FAILED, subject, message(agent), utc)
    if _is_long_unhealthy(agent, now):
        words = "" if agent.assessment is None else agent.assessment.message
        yield Alert(Code.UNHEALTHY, subject, words or "it is unhealthy", utc)
    undone = next((d for d in reversed(agent.decisions) if d.rung == Rung.UNDO), None)
    if undone is not None and 0 <= utc - undone.at < UNDONE_FOR:
        yield Alert(Code.UNDONE, subject, _undone(agent, undone.inputs.get("suspect")), undone.at)
    ended = exits(agent, now) if _is_restless(agent) else None
    if ended is not None and ended.code == Code.RESTARTS:
        yield Alert(Code.RESTARTS, subject, ended.message, utc)
    near = next((s for s in agent.vitals.signs if s.code == Code.NEAR_MEMORY), None)
    if near is not None:
        yield Alert(Code.NEAR_MEMORY, subject, near.message, utc)


def _failed(agent: Agent) -> str:
    times = "once" if agent.failures == 1 else f"{agent.failures} times"
    return f"it failed {times} in a row" if agent.failures else message(agent)


def _undone(agent: Agent, change: object) -> str:
    if agent.altered is not None and agent.altered.change == change:  # forgotten when it is done
        return f"change {change} is being undone, or could not be"
    return f"change {change} was undone"


def _is_long_unhealthy(agent: Agent, now: float) -> bool:
    damping = agent.damping
    return damping.status is Health.UNHEALTHY and now - damping.since >= UNHEALTHY_FOR


def _is_restless(agent: Agent) -> bool:
    """Return whether it ends too seldom for systemd to give it up: the ladder is not asked."""
    last = agent.vitals.exits[-RESTARTS:]
    return not agent.failures and len(last) == RESTARTS and last[-1] - last[0] >= SLOWLY


def _of_host(roster: Roster, known: Alerts, now: float) -> Iterator[Alert]:
    """Yield the budget's: raised when somebody waits, cleared when it is whole again."""
    key = f"{Code.BUDGET}:{HOST}"
    budget = roster.budget
    waits = not budget.is_free(now) and budget.per_minute > 0
    still = key in known and budget.spent_until > now
    if waits or still:
        words = f"{budget.burst} at once and {budget.per_minute:g} a minute are allowed"
        yield Alert(Code.BUDGET, HOST, words, roster.utc_offset + now)


def _told(kind: str, alert: Alert) -> Announce:
    return Announce(kind, alert.subject, alert.dump())
