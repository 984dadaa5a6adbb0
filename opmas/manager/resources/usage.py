"""What each agent uses, as last read, and the signs that it comes close to its limits.

All running agents are read in turn, a few each second: the loop is never held up, and a thousand
of them take less than half a percent of a core. What costs more to read (memory by kind,
pressure, disks, descriptors) is read less often where there are many, and always for those that
are close to a limit.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import LIVE
from opmas.core.agent.terms import unit_name
from opmas.core.events import Pressed
from opmas.core.resources.pressing import NO_PRESSURE, Pressing, look, resumed
from opmas.core.resources.usage import Descriptors, Sample
from opmas.errors import SystemdError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.agent.state import Agent
    from opmas.core.documents.settings import UsageSection
    from opmas.host.meter import Meter
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.resources.learner import Learner
    from opmas.manager.resources.limits import LimitsOf
    from opmas.manager.state.writer import Writer
    from opmas.ports import Units

TICK: Final = 1.0  # seconds
EACH: Final = 0.015  # seconds of the interval for each agent, when there are many
DETAILS_A_SECOND: Final = 6  # each takes 0.2 ms of CPU time
CLOSE: Final = 0.75  # of memory_max: from here on an agent's detail is read each time


@dataclass(slots=True)
class _Known:
    """What is known of one agent's present run."""

    run: str
    sample: Sample
    pressing: Pressing = NO_PRESSURE


class Usages:
    """The newest sample of each running agent."""

    def __init__(  # noqa: PLR0913 -- what usage is read for
        self,
        section: UsageSection,
        writer: Writer,
        links: AgentLinks,
        limits: LimitsOf,
        units: Units,
        *,
        meter: Meter,
        learner: Learner,
        clock: Callable[[], float],
    ) -> None:
        self._section = section
        self._writer = writer
        self._links = links
        self._limits = limits
        self._units = units
        self._meter = meter
        self._learner = learner
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._queue: list[str] = []
        self._slice = 1
        self._next_round = float("-inf")

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            self.tick()
            await asyncio.sleep(TICK)

    def close(self) -> None:
        """Close the files, and save what was learned."""
        self._meter.close()
        self._learner.save()

    def tick(self) -> None:
        """Read the agents whose turn it is."""
        if not self._queue and self._clock() >= self._next_round:
            self._begin_round()
        for name in self._queue[: self._slice]:
            agent = self._writer.roster.agents.get(name)
            if agent is not None and agent.phase in LIVE:
                self._take(agent)
        del self._queue[: self._slice]
        self._learner.tick()

    def of(self, agent: Agent) -> Sample | None:
        """Return what the running agent uses, not older than a round; None when it is down."""
        if agent.phase not in LIVE:
            return None
        known = self._known.get(agent.name)
        if known is not None and known.run == _run(agent):
            return known.sample
        return self._meter.sample(agent.name)

    def fresh(self, agent: Agent) -> Sample | None:
        """Return what the running agent uses at this moment, with all detail."""
        return self._whole(agent) if agent.phase in LIVE else None

    def pressing(self, name: str) -> Pressing:
        """Return in which ways the agent is close to its limits."""
        known = self._known.get(name)
        return NO_PRESSURE if known is None else known.pressing

    async def network(self, agent: Agent) -> tuple[int, int] | None:
        """Return the bytes that the agent received and sent; None where nobody counts them."""
        if agent.phase not in LIVE:
            return None
        try:
            return await self._units.network_bytes(unit_name(agent.name))
        except SystemdError:
            return None

    def interval(self, agents: int) -> float:
        """Return the seconds from one look at an agent to the next, when so many run."""
        return max(self._section.interval, agents * EACH)

    def _begin_round(self) -> None:
        agents = self._writer.roster.agents
        names = [a.name for a in agents.values() if a.phase in LIVE]
        pressed = {a.name for a in agents.values() if a.vitals.signs}  # told by another manager
        for name in (self._known.keys() | pressed) - set(names):
            self._gone(name)
        self._meter.keep(names)
        self._learner.keep(agents)
        interval = self.interval(len(names))
        self._queue = names
        self._slice = max(1, math.ceil(len(names) * TICK / interval))
        self._next_round = self._clock() + interval

    def _gone(self, name: str) -> None:
        known = self._known.pop(name, None)
        agent = self._writer.roster.agents.get(name)
        if agent is None:
            return
        if agent.vitals.signs if known is None else known.pressing.signs:
            self._tell(name, NO_PRESSURE)

    def _take(self, agent: Agent) -> None:
        name, run = agent.name, _run(agent)
        before = self._known.get(name)
        pressing = resumed(agent.vitals.signs) if before is None else before.pressing
        if before is not None and before.run != run:
            self._gone(name)
            before, pressing = None, NO_PRESSURE
        sample = self._sample(agent, before)
        after = look(pressing, sample, self._limits.limits(agent.spec))
        self._known[name] = _Known(run, sample, after)
        if after.codes != pressing.codes:
            self._tell(name, after)
        self._learner.observe(name, sample, None if before is None else before.sample)

    def _sample(self, agent: Agent, before: _Known | None) -> Sample:
        last = None if before is None else before.sample.detail
        if before is None or last is None or before.pressing.signs:
            return self._whole(agent)
        every = max(self._section.interval, len(self._known) / DETAILS_A_SECOND)
        if self._clock() - last.at >= every:
            return self._whole(agent)
        sample = self._meter.sample(agent.name, last)
        most = self._limits.limits(agent.spec).memory_max or 0
        if (sample.memory_bytes or 0) >= CLOSE * most:
            return self._whole(agent)
        return sample

    def _whole(self, agent: Agent) -> Sample:
        sample = self._meter.whole(agent.name)
        files = None if sample.detail is None else sample.detail.descriptors
        if sample.detail is None or (files is not None and files.exact):
            return sample
        told = self._said_open(agent.name)  # by itself, where the kernel does not tell us
        if told is None:
            return sample
        own = Descriptors(told, exact=True, fullest=told, limit=files.limit if files else None)
        return replace(sample, detail=replace(sample.detail, descriptors=own))

    def _said_open(self, name: str) -> int | None:
        for metric in self._links.heard(name).metrics:
            if metric.get("name") == "process_open_fds" and "value" in metric:
                return int(metric["value"])
        return None

    def _tell(self, name: str, pressing: Pressing) -> None:
        signs = pressing.told()
        self._writer.post(name, Pressed(signs))
        told = [{"code": sign.code, "message": sign.message} for sign in signs]
        self._writer.announce("opmas.agent.pressure", f"agent/{name}", {"signs": told})


def _run(agent: Agent) -> str:
    return "" if agent.unit is None else agent.unit.invocation_id
