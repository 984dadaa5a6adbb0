"""What the control socket can do: one table of methods."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from opmas.core import events, roster
from opmas.core.explain import explain
from opmas.core.fields import nearest
from opmas.core.needs import missing_grants, needs_of
from opmas.core.state import Pending, health
from opmas.errors import GrantError, InvalidError, RevisionError, UnknownAgentError
from opmas.manager import requests
from opmas.manager.files import merged_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opmas.core.agent import AgentSpec
    from opmas.core.roster import Decision, Roster
    from opmas.core.state import Agent
    from opmas.manager.clock import Clock
    from opmas.manager.eventlog import EventLog
    from opmas.manager.host import HostStatus
    from opmas.manager.shelf import Shelf
    from opmas.manager.views import Views
    from opmas.manager.writer import Writer
    from opmas.packages.catalogue import Package

    Params = dict[str, Any]
    Method = Callable[[Params], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the methods work with."""

    writer: Writer
    log: EventLog
    shelf: Shelf
    views: Views
    clock: Clock
    status: HostStatus


class Methods:
    """The methods of the control socket."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._writer = parts.writer
        self.table: dict[str, Method] = {
            "host.status": self._host_status,
            "agent.list": self._agent_list,
            "agent.show": self._agent_show,
            "agent.put": self._agent_put,
            "agent.start": self._action(events.Start),
            "agent.stop": self._action(events.Stop),
            "agent.restart": self._action(events.Restart),
            "agent.remove": self._agent_remove,
            "agent.explain": self._agent_explain,
            "package.list": self._package_list,
            "package.show": self._package_show,
            "package.scan": self._package_scan,
            "event.list": self._event_list,
        }

    async def _host_status(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        agents = self._writer.roster.agents.values()
        return {
            **self._parts.status.document(),
            "agents": {
                "total": len(agents),
                "phases": dict(Counter(str(a.phase) for a in agents)),
                "health": dict(Counter(str(health(a).status) for a in agents)),
            },
            "packages": len(self._parts.shelf.packages),
            "events": {"first": self._parts.log.first, "last": self._parts.log.last},
        }

    async def _agent_list(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        agents = sorted(self._writer.roster.agents.values(), key=lambda a: a.name)
        return {"agents": [self._parts.views.agent(a) for a in agents]}

    async def _agent_show(self, params: Params) -> dict[str, Any]:
        return self._parts.views.agent_whole(self._agent(requests.read_name(params, "agent name")))

    async def _agent_put(self, params: Params) -> dict[str, Any]:
        put = requests.read_put(params)
        package = self._parts.shelf.get(put.spec.package)
        spec = replace(put.spec, after=put.spec.after or package.manifest.after)
        _check_grants(spec, package)
        await self._check_config(spec, package)

        def step(agents: Roster, now: float) -> Decision:
            self._check_revision(spec.name, put.expect)
            return roster.put(agents, spec, now, create_only=put.create_only)

        await self._writer.ask(step, put.author)
        return await self._settled(spec.name, put.wait)

    def _action(self, command: type[events.Start | events.Stop | events.Restart]) -> Method:
        async def method(params: Params) -> dict[str, Any]:
            action = requests.read_action(params)
            self._agent(action.name)
            await self._writer.ask(
                lambda agents, now: roster.step(agents, action.name, command(), now), action.author
            )
            return await self._settled(action.name, action.wait)

        return method

    async def _agent_remove(self, params: Params) -> dict[str, Any]:
        action = requests.read_action(params, purge=True)
        self._agent(action.name)
        command = events.Remove(purge=action.purge)
        await self._writer.ask(
            lambda agents, now: roster.step(agents, action.name, command, now), action.author
        )
        await self._writer.wait_until(
            lambda: action.name not in self._writer.roster.agents, action.wait
        )
        return {"removed": action.name}

    async def _agent_explain(self, params: Params) -> dict[str, Any]:
        agent = self._agent(requests.read_name(params, "agent name"))
        now = self._parts.clock.monotonic()
        explanation = explain(agent, now, self._writer.roster.policy)
        view = self._parts.views.agent_whole(agent)
        return {"name": agent.name, **asdict(explanation), "facts": view}

    async def _package_list(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        packages = sorted(self._parts.shelf.packages.values(), key=lambda p: p.name)
        return {"packages": [self._parts.views.package(p) for p in packages]}

    async def _package_show(self, params: Params) -> dict[str, Any]:
        package = self._parts.shelf.get(requests.read_name(params, "package name"))
        return {**self._parts.views.package(package), "manifest": asdict(package.manifest)}

    async def _package_scan(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        return await self._parts.shelf.rescan()

    async def _event_list(self, params: Params) -> dict[str, Any]:
        query, wait = requests.read_query(params)
        found, last = await self._parts.log.page(query, wait)
        return {"events": found, "last": last}

    def _agent(self, name: str) -> Agent:
        agents = self._writer.roster.agents
        if name not in agents:
            raise UnknownAgentError(f'no agent is named "{name}"{nearest(name, agents)}')
        return agents[name]

    async def _check_config(self, spec: AgentSpec, package: Package) -> None:
        check = self._parts.shelf.checker.config_problems
        problems = await asyncio.to_thread(check, package.manifest, merged_config(spec, package))
        if problems:
            raise InvalidError(
                f'cannot use the configuration of agent "{spec.name}": {problems[0]}', problems
            )

    def _check_revision(self, name: str, expect: int | None) -> None:
        record = self._writer.saver.records.get(name)
        revision = 0 if record is None else record.revision
        if expect is not None and expect != revision:
            raise RevisionError(
                f'cannot change agent "{name}": it is at revision {revision}, not {expect}'
            )

    async def _settled(self, name: str, wait: float) -> dict[str, Any]:
        await self._writer.wait_until(lambda: self._is_settled(name), wait)
        return self._parts.views.agent(self._agent(name))

    def _is_settled(self, name: str) -> bool:
        agent = self._writer.roster.agents.get(name)
        if agent is None:
            return True
        on_the_way = {"starting", "stopping", "reloading"}
        return agent.pending is Pending.NOTHING and str(agent.phase) not in on_the_way


def _check_grants(spec: AgentSpec, package: Package) -> None:
    missing = missing_grants(package.manifest, spec.grants)
    if missing:
        names = ", ".join(n.name for n in missing)
        raise GrantError(
            f'cannot run package "{package.name}" as agent "{spec.name}": it asks for what was not'
            f" granted: {names}",
            tuple(f"{n.name}: {n.explanation}" for n in missing),
        )
    asked = {n.name for n in needs_of(package.manifest)}
    extra = [g for g in spec.grants if g not in asked]
    if extra:
        raise InvalidError(
            f'cannot grant {extra[0]} to agent "{spec.name}": its package does not ask for it',
            tuple(f"grants: {g}: the package does not ask for it" for g in extra),
        )
