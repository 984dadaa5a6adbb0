"""What is looked at from time to time: systemd, the packages, the database, the event log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from opmas.core.events import ApplyLimits, Prepare
from opmas.errors import StoreError, SystemdError

if TYPE_CHECKING:
    from opmas.core.roster import Roster
    from opmas.core.settings import Settings
    from opmas.manager.database import Databases
    from opmas.manager.deliveries import Deliveries
    from opmas.manager.eventlog import EventLog
    from opmas.manager.files import AgentFiles
    from opmas.manager.problems import Problems
    from opmas.manager.shelf import Shelf
    from opmas.manager.store import Store
    from opmas.manager.writer import Writer
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
        databases: Databases,
        problems: Problems,
        log: EventLog,
        deliveries: Deliveries,
        store: Store,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._units = units
        self._shelf = shelf
        self._files = files
        self._databases = databases
        self._problems = problems
        self._log = log
        self._deliveries = deliveries
        self._store = store
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Make the next round now."""
        self._hurry.set()

    def begin_anew(self, roster: Roster) -> None:
        """Have all agents, rebuilt from their files, saved in the new database."""
        if roster.agents:
            self._writer.saver.save_everything()
            names = ", ".join(sorted(roster.agents))
            logger.warning("the database is new: rebuilt agents from their files: %s", names)

    async def run(self) -> None:
        """Make rounds until cancelled."""
        await self._catch_up()
        since_round = 0.0
        while True:
            self._check_database()
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
        self._prune()
        self._problems.clear("database-damaged")  # a new one is in use, and it was said

    def _replace_missing_files(self) -> None:
        """Write drop-ins that went, such as by `systemctl revert`."""
        for agent in self._writer.roster.agents.values():
            if agent.package_present and self._files.missing(agent.name):
                logger.warning("agent %s: its drop-in was gone: written again", agent.name)
                self._writer.carry_out((Prepare(agent.name),))

    def _check_database(self) -> None:
        saver = self._writer.saver
        if not saver.behind and not self._databases.lost():
            return
        if self._databases.lost():
            self._problems.report(
                "database-lost", f"{self._databases.path} was deleted: made anew"
            )
        self._databases.close()
        is_new = self._databases.open(self._problems)
        if self._databases.current is None:
            return
        try:
            if is_new:
                self._databases.current.continue_at(self._log.last)
            elif not self._log.last:  # it could not be read until now
                self._log.load()
        except StoreError as error:
            self._problems.report("database-unavailable", error.message)
            return
        saver.save_everything()
        self._writer.post_step(lambda roster, _now: (roster, ()))  # a turn, and so a save
        self._problems.clear("database-lost")

    def _prune(self) -> None:
        database = self._databases.current
        if database is None:
            return
        try:
            database.prune(self._settings.events.max_count)
            database.prune_changes(self._settings.changes.keep)
            self._log.first = database.bounds()[0]
        except StoreError as error:
            self._problems.report("database-unavailable", error.message)
