"""An agent's health in sentences, with the facts that it rests on and how old they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import health
from opmas.core.agent.terms import Health
from opmas.core.health.assessment import UP, assess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.core.agent.state import Agent
    from opmas.core.health.assessment import Fact

WHO: Final = {
    "agent": "It says itself",
    "probe": "Its health check says",
    "systemd": "systemd shows",
    "kernel": "The kernel shows",
    "opmas": "OPMAS sees",
}
MINUTE: Final = 60
HOUR: Final = 3600


def health_sentences(agent: Agent, now: float) -> tuple[str, ...]:
    """Return how a running agent does, and what makes it so; nothing of one that is not up."""
    if agent.phase not in UP:
        return ()
    found = assess(agent, now)
    told = [_summary(agent, found.facts, now)]
    if not found.ready:
        told.append("It is not ready to serve.")
    told += [_sentence(f, now) for f in found.facts if f.status is not Health.HEALTHY]
    return tuple(dict.fromkeys(told))


def _summary(agent: Agent, facts: Iterable[Fact], now: float) -> str:
    report = health(agent)
    if report.status is Health.HEALTHY and not report.message:
        return f"Its health is healthy, by {', '.join(_named(f, now) for f in facts)}."
    bad = [c for c in report.checks if c.status is not Health.HEALTHY]
    found = "; ".join(f"{c.name}: {c.message or c.code or c.status}" for c in bad)
    details = found or report.message
    return f"Its health is {report.status}" + (f": {details}." if details else ".")


def _named(fact: Fact, now: float) -> str:
    return fact.name + ("" if fact.at is None else f" ({_span(now - fact.at)} ago)")


def _sentence(fact: Fact, now: float) -> str:
    since = "" if fact.at is None else f", {_span(now - fact.at)} ago"
    code = fact.code if fact.name.startswith("report/") else ""  # the agent's own word
    message = fact.message or code or str(fact.status)
    return f"{WHO[fact.source]} ({fact.name}{since}): {message}."


def _span(seconds: float) -> str:
    seconds = max(seconds, 0.0)
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.0f} h"
