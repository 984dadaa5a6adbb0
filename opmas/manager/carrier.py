"""Carries out the effects that the core wishes for: files, systemd, the agents' socket.

Calls to systemd are sent in order and not waited for one by one; what came of them goes back to
the writer as an observation.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from opmas.core import events, roster
from opmas.core.agent.state import LIVE
from opmas.core.agent.terms import Reason, unit_name
from opmas.core.events import (
    ApplyLimits,
    Forget,
    Measure,
    Prepare,
    RunTask,
    SendConfig,
    StartUnit,
    StopUnit,
    Tidy,
)
from opmas.core.resources.limits import effective_limits
from opmas.errors import SystemdError
from opmas.manager.agents.freshness import Freshness

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from opmas.core.agent.state import Agent
    from opmas.core.events import Effect
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.changes.changing import Changing
    from opmas.manager.state.writer import Writer
    from opmas.packages.catalogue import Package
    from opmas.packages.collection import Packages
    from opmas.ports import Units

logger = logging.getLogger(__name__)

USEC_PER_PERCENT: Final = 10_000  # 100 % is one second of CPU time a second
PURGED: Final = ("state", "cache", "logs", "runtime")
REASONS: Final = {"masked": Reason.MASKED}
LAST_CALLS: Final = 2.0  # seconds for what is under way when the manager ends
RETRIED: Final = frozenset({"unavailable", "timeout"})


class Carrier:
    """Carries out effects for the writer."""

    def __init__(
        self,
        writer: Writer,
        units: Units,
        files: AgentFiles,
        links: AgentLinks,
        packages: Packages,
    ) -> None:
        self._writer = writer
        self._units = units
        self._files = files
        self._links = links
        self._packages = packages
        self._tasks: set[asyncio.Task[None]] = set()
        self._freshness = Freshness(writer, units)
        self._unnoted: dict[str, None] = {}  # agents that were wished up or down since
        self.changing: Changing

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Carry out the effects in order; an agent whose files failed is not started."""
        failed: set[str] = set()
        for effect in effects:
            if isinstance(effect, Prepare):
                if not self._prepare(effect.agent):
                    failed.add(effect.agent)
            elif isinstance(effect, SendConfig):
                self._send_config(effect.agent)
            elif not isinstance(effect, StartUnit) or effect.agent not in failed:
                self._call(effect)

    def note(self, name: str) -> None:
        """Have the agent's file say whether it is to run: a stop prepares nothing."""
        if not self._unnoted:
            self._spawn("notes", self._note_all())
        self._unnoted[name] = None

    async def _note_all(self) -> None:
        await asyncio.sleep(0)
        while self._unnoted:
            name = next(iter(self._unnoted))
            agent = self._writer.roster.agents.get(name)
            if agent is not None:
                version = self._writer.saver.records[name].config_version
                try:
                    self._files.write_spec(agent.spec, version)
                except OSError as error:  # looked at again when the manager starts
                    logger.warning("agent %s: its file is old: %s", name, error)
            del self._unnoted[name]
            await asyncio.sleep(0)  # a whole host that is stopped is not written in one turn

    def _call(self, effect: Effect) -> None:
        match effect:
            case StartUnit(agent=name, reset=reset):
                self._spawn(name, self._start(name, reset=reset))
            case StopUnit(agent=name):
                self._spawn(name, self._stop(name))
            case Forget(agent=name, purge=purge):
                self._spawn(name, self._forget(name, purge=purge))
            case ApplyLimits(agent=name):
                self._spawn(name, self._apply_limits(name))
            case Measure() | RunTask() | Tidy():
                self.changing.carry_out(effect)
            case _:
                raise AssertionError(effect)

    async def close(self) -> None:
        """Let what was begun come to its end, for a short while, and give up the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_CALLS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Take leave of a call; one that broke is a refusal, or its agent would wait for ever."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broke(task.get_name(), error)

    def _broke(self, name: str, error: BaseException) -> None:
        logger.error("agent %s: a fault of the manager", name, exc_info=error)
        self._refused(name, Reason.UNIT_ERROR, f"a fault of the manager: {error}")

    def _send_config(self, name: str) -> None:
        try:
            self._links.send_config(name)
        except Exception as error:  # noqa: BLE001 -- logged there
            self._broke(name, error)

    def _prepare(self, name: str) -> bool:
        agent = self._writer.roster.agents.get(name)
        package = None if agent is None else self._packages.of(agent.spec)
        if agent is None or package is None:
            self._refused(name, Reason.PACKAGE_MISSING, "its package is not installed")
            return False
        version = self._writer.saver.records[name].config_version
        try:
            if self._files.write(agent.spec, package, version):
                self._freshness.changed(name)
        except Exception as error:
            logger.exception("agent %s: its files cannot be written", name)
            self._refused(name, Reason.UNIT_ERROR, f"its files cannot be written: {error}")
            return False
        return True

    def _refused(self, name: str, reason: Reason, message: str) -> None:
        self._writer.post(name, events.CallRefused(reason, message))

    async def _start(self, name: str, *, reset: bool) -> None:
        try:
            if reset:
                await self._units.reset_failed(unit_name(name))
            await self._freshness.ensure(name)
            job = await self._units.start(unit_name(name))
        except SystemdError as error:
            self._call_failed(name, error)
        else:
            self._freshness.started(name)
            self._writer.post(name, events.JobIssued(job))

    async def _stop(self, name: str) -> None:
        try:
            job = await self._units.stop(unit_name(name))
        except SystemdError as error:
            if error.reason == "no-such-unit":  # not loaded: it is down
                self._writer.post(name, events.UnitSeen(None))
            else:
                self._call_failed(name, error)
        else:
            self._writer.post(name, events.JobIssued(job))

    def _call_failed(self, name: str, error: SystemdError) -> None:
        reason = REASONS.get(error.reason, Reason.UNIT_ERROR)
        retry = error.reason in RETRIED
        logger.warning("agent %s: %s", name, error.message)
        self._writer.post(name, events.CallRefused(reason, error.message, retry=retry))

    async def _forget(self, name: str, *, purge: bool) -> None:
        with contextlib.suppress(SystemdError):  # only tidiness: nobody is called by this name now
            await self._units.reset_failed(unit_name(name))
        if purge:
            await self._purge(name)
        try:
            self._files.remove(name)
        except OSError:
            logger.exception("agent %s: its files cannot be removed", name)
        self._links.drop(name)
        news = events.Announce("opmas.agent.removed", f"agent/{name}", {"purged": purge})
        self._writer.post_step(lambda r, _now: (roster.remove(r, name), (news,)))

    async def _purge(self, name: str) -> None:
        try:
            await self._units.clean(unit_name(name), PURGED)
        except SystemdError as error:
            if error.reason != "refused":  # it never wrote a thing: there is nothing to clean
                logger.warning("agent %s: its data is left: %s", name, error.message)

    async def _apply_limits(self, name: str) -> None:
        found = self._running(name)
        if found is None:
            return
        agent, package = found
        limits = asdict(effective_limits(agent.spec, package.manifest, self._files.host_limits))
        properties = {
            "MemoryMax": limits["memory_max"],
            "MemoryHigh": limits["memory_high"],
            "TasksMax": limits["tasks_max"],
            "CPUQuotaPerSecUSec": limits["cpu_quota"] * USEC_PER_PERCENT,
            "CPUWeight": limits["cpu_weight"],
            "IOWeight": limits["io_weight"],
        }
        try:
            await self._units.set_limits(unit_name(name), properties)
        except SystemdError as error:
            logger.warning("agent %s: its limits apply at its next start: %s", name, error.message)

    def _running(self, name: str) -> tuple[Agent, Package] | None:
        agent = self._writer.roster.agents.get(name)
        package = None if agent is None else self._packages.of(agent.spec)
        if agent is None or package is None or agent.phase not in LIVE:
            return None
        return agent, package
