"""The agents' socket: configuration down, health, metrics and events up.

What an agent says is not trusted: what is not of the protocol is refused, once a minute in the
event log.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from opmas.core.events import HealthReported, Linked
from opmas.core.health.vitals import Advance
from opmas.core.package.manifest import EVENT_TYPE
from opmas.manager.agents.connection import AgentLink
from opmas.manager.agents.files import merged_config
from opmas.manager.agents.heard import Heard
from opmas.manager.agents.messages import (
    check_size,
    parse_health,
    parse_metrics,
    parse_progress,
    text,
)
from opmas.manager.agents.pace import OWN, pace
from opmas.manager.control import wire
from opmas.manager.control.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.core.health.report import Report
    from opmas.manager.state.writer import Writer
    from opmas.packages.collection import Packages
    from opmas.store.rows import StoredEvent

logger = logging.getLogger(__name__)

EVENT_COST: Final = 5.0  # messages: each is written to the disk, and pushes an older one out
REPORT_COST: Final = 5.0  # messages, of a report that is not as the one before: it may be saved
EVENT_LIMIT: Final = 8 * 1024  # bytes: a page of 1,000 must fit into one answer
HEALTH_LIMIT: Final = 32 * 1024  # bytes: the list of 500 agents must fit too
REFUSALS_APART: Final = 60.0  # seconds
SILENT: Final = 120.0  # seconds without a report, of an agent that gives one every 30
LISTEN_EVERY: Final = 15.0  # seconds
SEVERITIES: Final = frozenset({"info", "warning", "error"})


class AgentLinks:
    """The connections of all agents, and what came over them."""

    def __init__(self, writer: Writer, packages: Packages) -> None:
        self._writer = writer
        self._packages = packages
        self._links: dict[str, AgentLink] = {}
        self._heard: dict[str, Heard] = {}
        self._listened_at = float("-inf")
        self._pace = OWN

    def protocol(self) -> AgentLink:
        """Return the protocol for a new connection."""
        return AgentLink(self)

    def heard(self, name: str) -> Heard:
        """Return what the agent last said."""
        heard = self._heard.get(name)
        if heard is None:
            heard = self._heard[name] = Heard()
        return heard

    def progress(self, name: str) -> int | None:
        """Return how many pieces of work the agent has done in this run, as far as it tells."""
        advance = self.heard(name).advance
        return None if advance is None or name not in self._links else advance.steps

    def quiet(self, name: str) -> float:
        """Return for how many seconds a connected agent has not said how it does."""
        at = self.heard(name).reported_at
        return 0.0 if at is None else asyncio.get_running_loop().time() - at

    def connected(self, name: str) -> bool:
        """Return whether the agent is connected now."""
        return name in self._links

    def drop(self, name: str) -> None:
        """Forget the agent."""
        self._heard.pop(name, None)
        link = self._links.pop(name, None)
        if link is not None:
            link.abort()

    def close(self) -> None:
        """Close every connection."""
        for link in list(self._links.values()):
            link.abort()

    def send_config(self, name: str) -> None:
        """Give the connected agent its configuration."""
        link = self._links.get(name)
        config = self._config(name)
        if link is not None and config is not None:
            link.call("config", {"version": config["version"], "config": config["config"]})

    def deliver(self, events: Iterable[StoredEvent]) -> None:
        """Give each connected agent the events that its package subscribes to."""
        for event in events:
            for name, link in self._links.items():
                agent = self._writer.roster.agents.get(name)
                package = None if agent is None else self._packages.of(agent.spec)
                if package is not None and event.type in package.manifest.events.subscribes:
                    link.notify("event", _plain_event(event))

    def joined(self, name: str, link: AgentLink) -> bool:
        """Take a connection; a newer one of the same agent replaces the older."""
        if name not in self._writer.roster.agents:
            return False
        older = self._links.get(name)
        self._links[name] = link
        heard = self.heard(name)
        heard.reported = heard.reported_at = heard.advance = None  # it may be another process
        if older is None:
            self._writer.post(name, Linked(connected=True))
        else:
            older.abort()  # not close: that waits until what was written to it is read
        self._changed_pace()
        return True

    def greeted(self, link: AgentLink) -> None:
        """Tell an agent that just said hello what the others know already."""
        if self._pace != OWN:
            self._tell_pace(link)

    def left(self, name: str, link: AgentLink) -> None:
        """Take note that a connection is over."""
        if self._links.get(name) is link:
            del self._links[name]
            self._writer.post(name, Linked(connected=False))
            self._changed_pace()

    def listen(self) -> None:
        """Take note of agents that are connected and do not speak; called after each turn."""
        now = asyncio.get_running_loop().time()
        since, self._listened_at = self._listened_at, now
        if now - since < LISTEN_EVERY:
            self._listened_at = since
            return
        if now - since > 2 * LISTEN_EVERY:
            return  # it was we who slept: what they said meanwhile is yet to be read
        for name in self._links:
            heard = self.heard(name)
            if heard.advance is None or heard.reported_at is None or heard.silent:
                continue
            if now - heard.reported_at > SILENT:
                heard.silent = True
                self._writer.post(name, Linked(connected=False))

    def request(self, name: str, request: wire.Request) -> dict[str, Any] | None:
        """Return the answer to what the agent says, None for nothing; `WireError` refuses it."""
        match request.method:
            case "hello":
                config = self._config(name)
                if config is None:
                    raise WireError(wire.SERVER_ERROR, "the agent's package is not installed")
                return config
            case "health":
                report, progress = parse_health(request.params), parse_progress(request.params)
                if report != self.heard(name).reported:  # what it said before was not too large
                    check_size(asdict(report), HEALTH_LIMIT, "health report")
                self._reported(name, report, progress)
            case "metrics":
                self.heard(name).metrics = parse_metrics(request.params)
            case "event":
                self._event(name, request.params)
            case _:
                raise WireError(wire.METHOD_NOT_FOUND, f"no method {request.method[:40]!r}")
        return None

    def config_answered(self, name: str, response: wire.Response) -> None:
        """Take note of how the agent took its configuration."""
        result = response.result or {}
        if result.get("applied") is True:
            self.heard(name).config_error = ""
            return
        error = text(response.error or result.get("error") or "it gave no reason")
        self.heard(name).config_error = error
        self.refuse(name, f"the agent refused its configuration: {error}")

    def refuse(self, name: str, why: str) -> None:
        """Say, at most once a minute an agent, that something it sent was refused."""
        heard = self.heard(name)
        now = asyncio.get_running_loop().time()
        if now - heard.refused_at < REFUSALS_APART:
            return
        heard.refused_at = now
        self._writer.announce("opmas.agent.refused", f"agent/{name}", {"message": why})

    def _changed_pace(self) -> None:
        """Tell all agents how often to report, when there are many more or many fewer."""
        before, self._pace = self._pace, pace(len(self._links), self._pace)
        if before != self._pace:
            for link in list(self._links.values()):
                self._tell_pace(link)

    def _tell_pace(self, link: AgentLink) -> None:
        link.notify("pace", {"seconds": self._pace})

    def _config(self, name: str) -> dict[str, Any] | None:
        agent = self._writer.roster.agents.get(name)
        package = None if agent is None else self._packages.of(agent.spec)
        if agent is None or package is None:
            return None
        version = self._writer.saver.records[name].config_version
        return {"agent": name, "version": version, "config": merged_config(agent.spec, package)}

    def _reported(
        self, name: str, report: Report, progress: tuple[int, float | None] | None
    ) -> None:
        """Tell the core what is new: most reports say that all is as it was."""
        heard, now = self.heard(name), asyncio.get_running_loop().time()
        heard.reported_at = now
        if progress is not None:
            steps, age = progress
            heard.advance = Advance(steps, None if age is None else now - age)
        if heard.silent:
            heard.silent = False
            self._writer.post(name, Linked(connected=True))
        agent = self._writer.roster.agents.get(name)
        known = None if agent is None else agent.vitals.reported
        if heard.reported == report and known is not None and known.report == report:
            return
        heard.reported = report
        heard.tokens -= REPORT_COST - 1
        self._writer.post(name, HealthReported(report))

    def _event(self, name: str, params: dict[str, Any]) -> None:
        kind, severity = params.get("type"), params.get("severity", "info")
        data = params.get("data", {})
        if not isinstance(kind, str) or not EVENT_TYPE.fullmatch(kind):
            raise WireError(wire.INVALID_REQUEST, f"event type {text(kind)!r} is not dotted words")
        if severity not in SEVERITIES or not isinstance(data, dict):
            raise WireError(wire.INVALID_REQUEST, "event severity or data is not of the protocol")
        package = self._writer.roster.get(name).spec.package
        told = {"severity": severity, "message": text(params.get("message", "")), "data": data}
        check_size(told, EVENT_LIMIT, "event")
        self.heard(name).tokens -= EVENT_COST - 1
        self.heard(name).errors += severity == "error"
        self._writer.announce(f"agent.{package}.{kind}", f"agent/{name}", told)


def _plain_event(event: StoredEvent) -> dict[str, Any]:
    return {
        "id": str(event.sequence),
        "sequence": event.sequence,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "data": event.data,
    }
