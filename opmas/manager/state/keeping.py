"""The database's rounds: mended when it is gone or damaged, backed up, pruned, kept with room.

The loop is never held up: what takes long is done in another thread, on files that the loop does
not use meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import DamagedError, StoreError
from opmas.manager.state.boot import adopted
from opmas.manager.state.database import Found, Opened, Origin
from opmas.manager.state.pruning import Pruning
from opmas.store.faults import FullError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.documents.settings import Settings
    from opmas.core.roster import Decision, Roster
    from opmas.manager.clock import Clock
    from opmas.manager.problems import Problems
    from opmas.manager.state.boot import Saved
    from opmas.manager.state.database import Databases
    from opmas.manager.state.eventlog import EventLog
    from opmas.manager.state.writer import Writer

logger = logging.getLogger(__name__)

QUIET: Final = 5.0  # seconds without a full disk, until it is over
TRIES: Final = 3  # backups in a row that fail before it is a problem: a lock passes


class Keeper:
    """Looks after the database while the manager runs."""

    def __init__(  # noqa: PLR0913 -- what a database concerns
        self,
        *,
        settings: Settings,
        databases: Databases,
        writer: Writer,
        problems: Problems,
        log: EventLog,
        clock: Clock,
        same_boot: bool,
        adopted: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._databases = databases
        self._writer = writer
        self._problems = problems
        self._log = log
        self._clock = clock
        self._same_boot = same_boot
        self._pruning = Pruning(settings.events, databases, writer, log, clock)
        self._complete = True  # what is known holds all that the database does
        self._is_latest = True  # the database that is taken up is no older copy
        self._wants_backup = False
        self._backup: asyncio.Task[None] | None = None
        self._failures = 0
        self._ends = False
        self._adopted = adopted

    def begin(self, opened: Opened | None, saved: Saved) -> None:
        """Take note of what the manager begins with, and say what was lost."""
        if opened is None:
            self._complete = False
        elif opened.origin is not Origin.KEPT:
            self._writer.saver.save_everything()
            if opened.look.found is not Found.MISSING or opened.look.backup or saved.rebuilt:
                self._say_restored(opened, saved.newer, saved.gone, at_start=True)
        elif opened.look.unsaved:
            self._problems.report("backup-failed", opened.look.unsaved)
        self._wants_backup = self._wants_backup or self._is_due()

    async def look(self) -> None:
        """Make the short round: whether the database is there, and the disk has room."""
        self._pruning.note(self._databases.pruned)
        self._databases.pruned.clear()
        self._pruning.tell()
        self._watch_disk()
        databases = self._databases
        if self._writer.saver.behind or databases.lost() or databases.is_damaged:
            await self._mend()
        if self._pruning.is_due():
            await self._prune()
        if self._wants_backup and not self._failures:
            self._begin_backup()

    async def round(self) -> None:
        """Make the long round: what is old goes, and a backup is made when it is time."""
        if self._databases.full_at is None:
            self._databases.reserve.make()
        await self._prune()
        if self._wants_backup or self._is_due():
            self._begin_backup()
        else:  # what is in use is sound and backed up, and it was said for a while
            self._problems.clear("database-damaged")
            self._problems.clear("database-restored")

    def _is_due(self) -> bool:
        if not self._writer.roster.agents:  # a backup of nothing would count for a day
            return False
        interval = self._settings.database.backup_interval
        return self._databases.backups.is_due(self._clock.utc(), interval)

    async def close(self) -> None:
        """End what is under way."""
        self._ends = True
        if self._backup is not None:
            await asyncio.gather(self._backup, return_exceptions=True)

    async def _mend(self) -> None:
        databases, look = self._databases, None
        if databases.needs_look:
            if databases.lost():
                where = databases.path
                self._problems.report("database-lost", f"{where} was deleted: made anew")
            thorough = databases.is_damaged
            # what is saved meanwhile goes to the old file, and is in memory too
            look = await asyncio.to_thread(databases.look, thorough=thorough)
        databases.close()
        tail = self._log.tail
        opened = databases.open(self._problems, look, self._log.last, tail)
        if opened is None:
            return
        if not self._log.last:  # it could not be read until now
            self._log.load()
        self._writer.saver.save_everything()
        self._is_latest = opened.origin is Origin.KEPT
        self._writer.post_step(self._adopt)  # a turn, and so a save
        if opened.origin is not Origin.KEPT:
            self._log.first = databases.current.first if databases.current else 0
            self._say_restored(opened)
        self._problems.clear("database-lost")

    def _adopt(self, roster: Roster, now: float) -> Decision:
        """Take what a database holds that could not be read when the manager began."""
        database = self._databases.current
        if self._complete or database is None:
            return roster, ()
        saved = adopted(
            database, roster, now, same_boot=self._same_boot, is_latest=self._is_latest
        )
        self._complete = True
        self._writer.saver.adopt(saved.records, saved.stamps)
        self._adopted()
        return saved.roster, ()

    def _say_restored(
        self,
        opened: Opened,
        newer: tuple[str, ...] = (),
        gone: tuple[str, ...] = (),
        *,
        at_start: bool = False,
    ) -> None:
        look, hole = opened.look, opened.hole
        message = _told(opened)
        if look.found is Found.DAMAGED:
            self._problems.report("database-damaged", message)
        elif at_start:
            self._problems.report("database-restored", message)
        data: dict[str, Any] = {"message": message, "backup": look.backup}
        if hole is not None:
            data |= {"first": hole.first, "last": hole.last}
        self._writer.announce(
            "opmas.log.restored", "manager", {**data, "newer": list(newer), "gone": list(gone)}
        )
        self._wants_backup = True

    def _watch_disk(self) -> None:
        databases = self._databases
        if databases.full_at is None:
            return
        place = databases.path.parent
        used = f", {databases.reserve.bytes // 1024**2} MiB kept back for it are used"
        self._problems.report(
            "disk-full",
            f"the disk of {place} is full: history is dropped first"
            f"{used if databases.gave_up else ''}: make room",
        )
        quiet = self._clock.monotonic() - databases.full_at >= QUIET
        over = quiet and not self._writer.saver.behind
        if over and (not databases.gave_up or databases.reserve.make()):
            databases.full_at, databases.gave_up = None, False
            self._problems.clear("disk-full")

    async def _prune(self) -> None:
        try:
            await self._pruning.run()
            if (database := self._databases.current) is not None:
                database.prune_changes(self._settings.changes.keep)
                kept = self._settings.history
                database.prune_history(kept.max_count, self._pruning.oldest(kept.max_age))
        except StoreError as error:
            self._problems.report("database-unavailable", error.message)
        self._pruning.tell()

    def _begin_backup(self) -> None:
        database = self._databases.current
        if self._backup is not None or database is None or self._databases.full_at is not None:
            return
        if self._writer.saver.behind or database.is_copy or database.damaged:
            return
        self._backup = asyncio.create_task(self._back_up(), name="backup")
        self._backup.add_done_callback(self._backup_ended)

    def _backup_ended(self, task: asyncio.Task[None]) -> None:
        self._backup = None
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the backup broke", exc_info=error)

    async def _back_up(self) -> None:
        backups, keep = self._databases.backups, self._settings.database.backups
        began = asyncio.get_running_loop().time()
        try:
            path = await asyncio.to_thread(
                backups.make, self._clock.utc(), keep, lambda: self._ends
            )
        except DamagedError as error:
            self._failures += 1  # not again at once: the disk of the copy may be at fault
            if (database := self._databases.current) is not None:
                database.damaged = error.message  # looked into, and mended, by the next round
            return
        except StoreError as error:
            self._failures += 1
            if not self._ends and (self._failures >= TRIES or isinstance(error, FullError)):
                self._problems.report("backup-failed", error.message)
            return
        took = asyncio.get_running_loop().time() - began
        logger.info("%s made in %.2f s", path, took)
        self._failures, self._wants_backup = 0, False
        self._problems.clear("backup-failed")


def _told(opened: Opened) -> str:
    """Return in words what was done, and what is lost."""
    look, hole = opened.look, opened.hole
    what = look.message or "an older copy of the database was put in its place"
    aside = f", it is {look.aside} now" if look.aside else ""
    if look.backup:
        done = f"restored from {look.backup}"
    elif opened.origin is Origin.NEW:
        done = "made anew from the agents' files"
    else:
        done = "brought up to date from the agents' files"
    lost = "" if hole is None else f"; events {hole.first} to {hole.last} are lost"
    return f"{what}{aside}: {done}{lost}"
