"""What the control socket can do: one table of methods."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from opmas.core import events, roster
from opmas.core.agent.explain import explain
from opmas.core.agent.state import Pending, health
from opmas.core.change import engine, plan
from opmas.core.change.change import ChangeState
from opmas.core.change.queue import check_room
from opmas.core.documents.fields import nearest
from opmas.core.package.manifest import Runtime
from opmas.core.recovery.context import policy_of
from opmas.core.resources.limits import check_ceilings, host_limits
from opmas.errors import InUseError, UnknownAgentError
from opmas.manager.changes.admission import check_there_to_stay
from opmas.manager.changes.deliveries import is_behind
from opmas.manager.changes.holds import held_for
from opmas.manager.control import requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opmas.core.agent.state import Agent
    from opmas.core.agent.terms import AgentSpec
    from opmas.core.change.change import Change
    from opmas.core.documents.settings import Settings
    from opmas.core.roster import Decision, Roster
    from opmas.manager.changes.admission import Admission
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.clock import Clock
    from opmas.manager.control.changeviews import ChangeViews
    from opmas.manager.control.requests import Put
    from opmas.manager.control.views import Views
    from opmas.manager.host import HostStatus
    from opmas.manager.state.eventlog import EventLog
    from opmas.manager.state.writer import Writer
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
    settings: Settings
    admission: Admission
    changes: ChangeViews
    preview: Callable[[Change], Awaitable[Change]]


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
            "alert.list": self._alert_list,
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
            "alerts": self._parts.views.alert_counts(),
            "packages": len(self._parts.shelf.packages),
            "events": {"first": self._parts.log.first, "last": self._parts.log.last},
        }

    async def _agent_list(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        agents = sorted(self._writer.roster.agents.values(), key=lambda a: a.name)
        return {"agents": [self._parts.views.agent(a) for a in agents]}

    async def _agent_show(self, params: Params) -> dict[str, Any]:
        agent = self._agent(requests.read_name(params, "agent name"))
        return await self._parts.views.agent_shown(agent)

    async def _agent_put(self, params: Params) -> dict[str, Any]:
        put = requests.read_put(params)
        known = self._known(put)
        package = self._parts.shelf.get(put.spec.package, put.spec.version)
        spec = replace(
            put.spec,
            version=self._version(put.spec, known, package),
            config=self._config(put.spec, known),
            after=put.spec.after or package.manifest.after,
        )
        await self._parts.admission.check(spec, self._writer.roster)
        lives = package.manifest.runtime is Runtime.PYTHON
        number = 0

        def draft(agents: Roster) -> Change | None:
            held = agents.agents.get(spec.name)
            packages = self._parts.shelf.packages
            return plan.put(
                None if held is None else held.spec,
                spec,
                back=held is not None and packages.is_back(held.spec, spec),
                author=put.author,
                lives=lives,
                factor=self._parts.settings.changes.watch,
                wanted=put.window,
            )

        def step(agents: Roster, now: float) -> Decision:
            nonlocal number
            self._writer.saver.check_revision(spec.name, put.expect)
            check_there_to_stay(spec, agents)
            # refuses what cannot be, such as an agent that exists: it is not carried out
            roster.put(agents, spec, now, create_only=put.create_only)
            change = draft(agents)
            if change is None:
                return agents, ()
            check_room(agents, change.subject)
            agents, change = self._as_asked(agents, change, put)
            agents, effects = engine.propose(agents, change)
            number = agents.last_change
            return agents, effects

        if put.dry_run:
            step(self._writer.roster, self._parts.clock.monotonic())
            change = draft(self._writer.roster)
            if change is not None:
                change = await self._parts.preview(change)
            return {"plan": None if change is None else self._parts.changes.view(change)}
        await self._writer.ask(step, put.author)
        await self._writer.wait_until(lambda: self._is_begun(number), put.wait)
        if spec.name not in self._writer.roster.agents:  # it was removed meanwhile, or is queued
            return {"name": spec.name, "change": number}
        return {**await self._settled(spec.name, put.wait), "change": number or None}

    def _known(self, put: Put) -> Agent | None:
        """Return the agent as it is, when new limits of it are below the host's ceilings."""
        known = self._writer.roster.agents.get(put.spec.name)
        if known is None or known.spec.limits != put.spec.limits:
            check_ceilings(put.spec.limits, host_limits(self._parts.settings.limits))
        return known

    def _as_asked(self, agents: Roster, change: Change, put: Put) -> tuple[Roster, Change]:
        """Return the change that is refused if the agent is another by then, and its hold."""
        if put.expect is not None:
            change = engine.expecting(agents, change)
        wanted = replace(put.spec, version=change.wish.get("version", ""))
        directory = self._parts.settings.packages.delivered_dir
        if is_behind(directory, self._parts.shelf.packages, wanted):
            return held_for(agents, change)
        return agents, change

    def _is_begun(self, number: int) -> bool:
        change = self._writer.roster.changes.get(number)
        return change is None or change.state not in {ChangeState.PLANNED, ChangeState.APPLYING}

    def _version(self, spec: AgentSpec, known: Agent | None, package: Package) -> str:
        """Return which version the agent names: its own choice, the one it has, or the newest."""
        if package.receipt is None:
            return ""
        if not spec.version and known is not None and known.spec.package == spec.package:
            return known.spec.version or package.version
        return package.version

    def _config(self, spec: AgentSpec, known: Agent | None) -> dict[str, Any]:
        """Return the configuration with the secrets that it had; another package gets none."""
        same = known is not None and known.spec.package == spec.package
        before = known.spec.config if known is not None and same else {}
        return self._parts.views.discretion.whole(spec.config, before, spec.package)

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
        action = requests.read_action(params, removal=True)
        agent = self._agent(action.name)
        change = plan.remove(agent.spec, purge=action.purge, author=action.author)
        dependents = self._parts.admission.dependents(action.name, self._writer.roster)
        if dependents:
            names = ", ".join(dependents)
            raise InUseError(
                f'cannot remove agent "{action.name}": it is required by {names}',
                tuple(f"{n}: requires it: remove it first" for n in dependents),
            )
        if action.dry_run:
            self._writer.saver.check_revision(action.name, action.expect)
            change = await self._parts.preview(change)
            return {"removed": "", "change": self._parts.changes.view(change)}
        number = 0

        def step(agents: Roster, _now: float) -> Decision:
            nonlocal number
            self._writer.saver.check_revision(action.name, action.expect)
            agents, effects = engine.supersede(agents, action.name)
            agents, more = engine.propose(agents, change)
            number = agents.last_change
            return agents, (*effects, *more)

        await self._writer.ask(step, action.author)
        await self._writer.wait_until(
            lambda: action.name not in self._writer.roster.agents, action.wait
        )
        return {"removed": action.name, "change": self._parts.changes.one(number)}

    async def _agent_explain(self, params: Params) -> dict[str, Any]:
        agent = self._agent(requests.read_name(params, "agent name"))
        now = self._parts.clock.monotonic()
        explanation = explain(agent, now, policy_of(self._writer.roster, agent.spec))
        view = self._parts.views.agent_whole(agent)
        story = self._parts.changes.of_agent(agent.name)
        decisions = self._parts.views.decisions(agent)
        return {
            "name": agent.name,
            **asdict(explanation),
            "decisions": decisions,
            "facts": view,
            "changes": story,
        }

    async def _alert_list(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        return {"alerts": self._parts.views.alerts()}

    async def _package_list(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        packages = [self._parts.shelf.get(name) for name in self._parts.shelf.packages]
        return {"packages": [self._parts.views.package(p) for p in packages]}

    async def _package_show(self, params: Params) -> dict[str, Any]:
        package = self._parts.shelf.get(requests.read_name(params, "package name"))
        return {**self._parts.views.package(package), "manifest": asdict(package.manifest)}

    async def _package_scan(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        return await self._parts.shelf.rescan()

    async def _event_list(self, params: Params) -> dict[str, Any]:
        query, wait = requests.read_query(params)
        page = await self._parts.log.page(query, wait)
        dropped = {"dropped": page.dropped} if page.dropped else {}
        return {"events": page.events, "last": page.last, **dropped}

    def _agent(self, name: str) -> Agent:
        agents = self._writer.roster.agents
        if name not in agents:
            raise UnknownAgentError(f'no agent is named "{name}"{nearest(name, agents)}')
        return agents[name]

    async def _settled(self, name: str, wait: float) -> dict[str, Any]:
        await self._writer.wait_until(lambda: self._is_settled(name), wait)
        return self._parts.views.agent(self._agent(name))

    def _is_settled(self, name: str) -> bool:
        agent = self._writer.roster.agents.get(name)
        if agent is None:
            return True
        on_the_way = {"starting", "stopping", "reloading"}
        return agent.pending is Pending.NOTHING and str(agent.phase) not in on_the_way
