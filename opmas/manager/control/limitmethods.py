"""The methods `limits.*`: what applies to agents, what they need, and what would fit."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from opmas.core.documents.fields import Fields, Problems, nearest
from opmas.core.resources import learning
from opmas.core.resources.learning import MIB, QUANTILE
from opmas.core.resources.limits import NO_LIMITS
from opmas.errors import RequestError, UnknownAgentError
from opmas.manager.control import requests
from opmas.manager.control.changerequests import read_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.agent.state import Agent
    from opmas.manager.control.changemethods import Proposals
    from opmas.manager.control.changerequests import Wanted
    from opmas.manager.control.methods import Method, Params
    from opmas.manager.resources.learner import Learner
    from opmas.manager.resources.limits import LimitsOf
    from opmas.manager.resources.usage import Usages
    from opmas.manager.state.writer import Writer

NOTHING_PROPOSED: Final = {
    True: "nothing else would fit it better",
    False: "it was not watched for long enough: see `opmas agent limits`",
}


class LimitMethods:
    """The methods about limits."""

    def __init__(
        self,
        writer: Writer,
        limits: LimitsOf,
        usages: Usages,
        learner: Learner,
        proposals: Proposals,
    ) -> None:
        self._writer = writer
        self._limits = limits
        self._usages = usages
        self._learner = learner
        self._proposals = proposals
        self.table: dict[str, Method] = {
            "limits.list": self._list,
            "limits.show": self._show,
            "limits.apply": self._apply,
        }

    async def _list(self, params: Params) -> dict[str, Any]:
        requests.no_parameters(params)
        agents = sorted(self._writer.roster.agents.values(), key=lambda agent: agent.name)
        return {"agents": [self._view(agent) for agent in agents]}

    async def _show(self, params: Params) -> dict[str, Any]:
        return self._view(self._agent(requests.read_name(params, "agent name")))

    async def _apply(self, params: Params) -> dict[str, Any]:
        name, wanted = _read_apply(params)
        agent = self._agent(name)
        proposed = self._learner.proposal(agent)
        change = self._learner.change(agent, proposed, wanted.author)
        if proposed == NO_LIMITS or change is None:
            why = NOTHING_PROPOSED[self._learner.has_enough(name)]
            raise RequestError(f'cannot apply limits to agent "{name}": none are proposed: {why}')
        view = await self._proposals.propose(change, wanted)
        if not wanted.dry_run:
            self._learner.applied(name, proposed)
        return {"change": view}

    def _view(self, agent: Agent) -> dict[str, Any]:
        learned = self._learner.learned(agent.name)
        resolved = self._limits.resolved(agent.spec)
        sample = self._usages.of(agent)
        return {
            "name": agent.name,
            "mode": str(self._learner.mode),
            "limits": asdict(resolved.limits),
            "limits_origin": self._learner.origins(agent.spec),
            "limits_cut": dict(resolved.wanted),
            "used": {
                "memory_bytes": None if sample is None else sample.needed_bytes,
                "tasks": None if sample is None else sample.tasks,
            },
            "learned": {
                "hours": round(self._learner.hours(agent.name), 2),
                "enough": self._learner.has_enough(agent.name),
                "memory_bytes": _scaled(learned.memory, MIB),
                "tasks": _scaled(learned.tasks, 1),
                "cpu_percent": _scaled(learned.cpu, 1),
            },
            "proposed": _given(asdict(self._learner.proposal(agent))),
            "signs": [asdict(sign) for sign in self._usages.pressing(agent.name).told()],
        }

    def _agent(self, name: str) -> Agent:
        agents = self._writer.roster.agents
        if name not in agents:
            raise UnknownAgentError(f'no agent is named "{name}"{nearest(name, agents)}')
        return agents[name]


def _read_apply(params: Mapping[str, Any]) -> tuple[str, Wanted]:
    problems = Problems()
    top = Fields(params, "", problems)
    name = top.need("name", requests.read_agent_name, "")
    wanted = read_wanted(top, expect=True)
    top.finish()
    problems.check("use this request")
    return name, wanted


def _scaled(sketch: learning.Sketch, unit: int) -> int | None:
    found = learning.quantile(sketch, QUANTILE)
    return None if found is None else round(found * unit)


def _given(limits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in limits.items() if value is not None}
