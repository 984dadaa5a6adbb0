"""Health checks of agents that cannot speak for themselves, each run as a unit of its own.

A check is one start of `opmas-probe@NAME.service`: the agent's own sandbox, systemd's timeout. It
passed when its job is done, and failed when the job failed. Each run of an agent is checked anew;
a manager that came up takes the last run's results for what they were.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import Health, probe_unit
from opmas.core.events import Probed
from opmas.core.health.assessment import UP
from opmas.core.health.report import Probing, Report
from opmas.errors import SystemdError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.agent.state import Agent
    from opmas.core.package.manifest import HealthCheck
    from opmas.manager.state.writer import Writer
    from opmas.manager.unitjobs import UnitJobs
    from opmas.packages.collection import Packages

logger = logging.getLogger(__name__)

JOB_GRACE = 10.0  # seconds beyond the check's own timeout until its job must have ended
# What it said long ago is not believed.
NOT_RUN: Final = Report(Health.UNKNOWN, "its health check cannot be run: OPMAS's log says why")


@dataclass(frozen=True, slots=True)
class _Run:
    """What is checked: one run of an agent, by one check."""

    check: HealthCheck
    invocation: str


class Probes:
    """One task for each running agent that has a health check."""

    def __init__(self, writer: Writer, jobs: UnitJobs, packages: Packages) -> None:
        self._writer = writer
        self._jobs = jobs
        self._packages = packages
        self._tasks: dict[str, tuple[_Run, asyncio.Task[None]]] = {}
        self._seen: Mapping[str, Agent] | None = None
        self._exchanges = -1
        self._checked_at: dict[str, float] = {}

    def follow(self) -> None:
        """Begin and end checks as agents come and go; called after each turn of the writer."""
        agents = self._writer.roster.agents
        ended = any(task.done() for _run, task in self._tasks.values())
        if agents is self._seen and self._exchanges == self._packages.exchanges and not ended:
            return
        self._seen, self._exchanges = agents, self._packages.exchanges
        wanted = {a.name: run for a in agents.values() if (run := self._run(a)) is not None}
        for name, (run, task) in list(self._tasks.items()):
            if wanted.get(name) != run or task.done():
                task.cancel()
                del self._tasks[name]
                self._checked_at.pop(name, None)
        for name in wanted.keys() - self._tasks.keys():
            work = self._probe(agents[name], wanted[name].check)
            task = asyncio.get_running_loop().create_task(work)
            self._tasks[name] = (wanted[name], task)

    def checked_at(self, name: str) -> float | None:
        """Return when the agent was last checked in its present run, in monotonic seconds."""
        return self._checked_at.get(name)

    def close(self) -> None:
        """End every check."""
        for _run, task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _run(self, agent: Agent) -> _Run | None:
        if agent.phase not in UP or not agent.vitals.traits.check:
            return None
        found = self._packages.of(agent.spec)
        check = None if found is None else found.manifest.health_check
        if check is None:
            return None
        return _Run(check, "" if agent.unit is None else agent.unit.invocation_id)

    async def _probe(self, agent: Agent, check: HealthCheck) -> None:
        name, loop = agent.name, asyncio.get_running_loop()
        said = agent.vitals.probed
        known = Health.UNKNOWN if said is None else said.report.status
        probing = Probing(check.failures, check.successes, status=known)
        hint = f"see `journalctl -u {probe_unit(name)}`"
        told = None if said is None else said.report
        missed = 0  # checks in a row that were not made, whatever they would have found
        # of its run, not of ours: a manager that comes back does not wait once more
        await asyncio.sleep(max(0.0, agent.since + check.start_delay - loop.time()))
        while True:
            try:
                result = await self._jobs.run(probe_unit(name), check.timeout + JOB_GRACE)
            except (SystemdError, TimeoutError) as error:
                logger.warning("agent %s: its health check cannot be run: %s", name, error)
                missed += 1
                report = told if missed < check.failures else NOT_RUN
            else:
                missed = 0
                self._checked_at[name] = loop.time()
                probing = probing.after(passed=result == "done")
                report = probing.report(hint)
            if report is not None and report != told:
                self._writer.post(name, Probed(report))
                told = report
            await asyncio.sleep(check.period)
