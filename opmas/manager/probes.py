"""Health checks of agents that cannot speak for themselves, each run as a unit of its own.

A check is one start of `opmas-probe@NAME.service`: the agent's own sandbox, systemd's timeout. It
passed when its job is done, and failed when the job failed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from opmas.core.agent import Phase, probe_unit
from opmas.core.events import HealthReported
from opmas.core.health import Probing
from opmas.errors import SystemdError

if TYPE_CHECKING:
    from opmas.core.manifest import HealthCheck
    from opmas.core.state import Agent
    from opmas.manager.unitjobs import UnitJobs
    from opmas.manager.writer import Writer
    from opmas.packages.collection import Packages

logger = logging.getLogger(__name__)

JOB_GRACE = 10.0  # seconds beyond the check's own timeout until its job must have ended


class Probes:
    """One task for each running agent that has a health check."""

    def __init__(self, writer: Writer, jobs: UnitJobs, packages: Packages) -> None:
        self._writer = writer
        self._jobs = jobs
        self._packages = packages
        self._tasks: dict[str, tuple[HealthCheck, asyncio.Task[None]]] = {}

    def follow(self) -> None:
        """Begin and end checks as agents come and go; called after each turn of the writer."""
        wanted = {
            agent.name: check
            for agent in self._writer.roster.agents.values()
            if agent.phase is Phase.RUNNING and (check := self._check(agent))
        }
        for name, (check, task) in list(self._tasks.items()):
            if wanted.get(name) is not check or task.done():
                task.cancel()
                del self._tasks[name]
        for name in wanted.keys() - self._tasks.keys():
            work = self._probe(name, wanted[name])
            task = asyncio.get_running_loop().create_task(work)
            self._tasks[name] = (wanted[name], task)

    def close(self) -> None:
        """End every check."""
        for _check, task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _check(self, agent: Agent) -> HealthCheck | None:
        found = self._packages.of(agent.spec)
        return None if found is None else found.manifest.health_check

    async def _probe(self, name: str, check: HealthCheck) -> None:
        probing = Probing(check.failures)
        hint = f"see `journalctl -u {probe_unit(name)}`"
        while True:
            try:
                result = await self._jobs.run(probe_unit(name), check.timeout + JOB_GRACE)
            except (SystemdError, TimeoutError) as error:
                logger.warning("agent %s: its health check cannot be run: %s", name, error)
            else:
                probing = probing.after(passed=result == "done")
                self._writer.post(name, HealthReported(probing.report(hint)))
            await asyncio.sleep(check.period)
