"""What is looked at from time to time: systemd, the packages, the database, the event log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from opmas.core.events import ApplyLimits, Prepare
from opmas.errors import SystemdError

if TYPE_CHECKING:
    from opmas.core.documents.settings import Settings
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.changes.deliveries import Deliveries
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.changes.store import Store
    from opmas.manager.problems import Problems
    from opmas.manager.state.keeping import Keeper
    from opmas.manager.state.writer import Writer
    from opmas.ports import Units

logger = logging.getLogger(__name__)

DATABASE_CHECK: Final = 2.0  # seconds; one stat, and a new try when the disk was full


class Upkeep:
    """The manager's rounds."""

    def __init__(  # noqa: PLR0913 -- what the rounds lead past
        self,
        *,
        settings: Settings,
        writer: Writer,
        units: Units,
        shelf: Shelf,
        files: AgentFiles,
        keeper: Keeper,
        problems: Problems,
        deliveries: Deliveries,
        store: Store,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._units = units
        self._shelf = shelf
        self._files = files
        self._keeper = keeper
        self._problems = problems
        self._deliveries = deliveries
        self._store = store
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Make the next round now."""
        self._hurry.set()

    async def run(self) -> None:
        """Make rounds until cancelled."""
        await self._catch_up()
        since_round = 0.0
        while True:
            await self._keeper.look()
            if since_round >= self._settings.manager.check_interval or self._hurry.is_set():
                since_round = 0.0
                self._hurry.clear()
                await self._round()
            try:
                async with asyncio.timeout(DATABASE_CHECK):
                    await self._hurry.wait()
            except TimeoutError:
                since_round += DATABASE_CHECK

    async def _catch_up(self) -> None:
        """Carry out what an earlier manager saved and did not come to: it was killed between."""
        for name in list(self._writer.roster.agents):
            agent = self._writer.roster.agents.get(name)
            package = None if agent is None else self._shelf.packages.of(agent.spec)
            if agent is None or package is None:
                continue
            version = self._writer.saver.records[name].config_version
            if not self._files.are_current(agent.spec, package, version):
                self._writer.carry_out((Prepare(name), ApplyLimits(name)))
            await asyncio.sleep(0)  # a thousand agents are not looked at in one turn

    async def _round(self) -> None:
        try:
            await self._units.resync()
        except SystemdError as error:
            self._problems.report("systemd-unavailable", error.message)
        await self._shelf.rescan_when_changed()
        self._deliveries.look()  # what was barred may be tried again
        self._store.sweep()
        self._replace_missing_files()
        await self._keeper.round()

    def _replace_missing_files(self) -> None:
        """Write drop-ins that went, such as by `systemctl revert`."""
        for agent in self._writer.roster.agents.values():
            if agent.package_present and self._files.missing(agent.name):
                logger.warning("agent %s: its drop-in was gone: written again", agent.name)
                self._writer.carry_out((Prepare(agent.name),))
