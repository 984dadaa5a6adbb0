"""The database over time: looked at, mended, opened, relieved when the disk is full.

A missing, damaged or full database never stops an agent and never stops the manager. What is
wrong is said. A damaged file is moved aside; the newest good backup comes in its place, or a new
one is made; agents come from the files beside them (`merging.py`), and events and changes go on
after the last number that anybody may have seen (`sequence.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from opmas.errors import DamagedError, StoreError
from opmas.manager.clock import Clock, rfc3339
from opmas.manager.state.backups import Backups
from opmas.manager.state.reserve import Reserve
from opmas.manager.state.sequence import BLOCK_OF_CHANGES, Sequence
from opmas.store.check import find_damage, read_contents
from opmas.store.database import Database
from opmas.store.faults import FullError
from opmas.store.migrations import newest_schema

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from opmas.manager.problems import Problems
    from opmas.store.check import Contents
    from opmas.store.rows import Batch, Pruned, StoredEvent

logger = logging.getLogger(__name__)

PORTIONS: Final = 10  # of the history, dropped at once when the disk is full
APART: Final = 10.0  # seconds between two times that history is dropped for room
FAR: Final = 1_000_000  # numbers left out when nobody knows how many were given
FAR_CHANGES: Final = 10_000  # the same of changes
ASIDE: Final = 3  # files that are kept after they were moved aside


class Found(Enum):
    """What a look at the file found."""

    SOUND = auto()
    MISSING = auto()
    DAMAGED = auto()
    NEWER = auto()  # of a newer version of OPMAS
    AWAY = auto()  # it cannot be read now: locked, or the disk fails


class Origin(Enum):
    """What the database that was opened is."""

    KEPT = auto()  # it was there, and knows best
    RESTORED = auto()  # it is older than what was known
    NEW = auto()


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, and what was done so that there is a database."""

    found: Found
    message: str = ""
    aside: str = ""
    backup: str = ""
    unsaved: str = ""  # why there is no backup from before the migration


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened, and which numbers of events are lost for good."""

    origin: Origin
    look: Look
    hole: Pruned | None = None


class Databases:
    """The one database that is in use now, if there is one.

    `look` may be called in another thread: it works on files alone.
    """

    def __init__(self, path: Path, clock: Clock, backups: int = 7) -> None:
        self.path = path
        self.current: Database | None = None
        self.backups = Backups(path, path.parent / "backups")
        self.keep_backups = backups
        self.reserve = Reserve(path.parent / "reserve")
        self.pruned: list[Pruned] = []  # for room, since it was last said
        self.full_at: float | None = None  # when the disk was full, while that is not over
        self.gave_up = False  # the reserve, for this
        self._sequence = Sequence(path.parent / "sequence")
        self._changes = Sequence(path.parent / "change-sequence", "changes", BLOCK_OF_CHANGES)
        self._last_change = 0
        self._clock = clock
        self._looked = False
        self._dropped_at = float("-inf")

    def now(self) -> str:
        """Return the wall time as it is written in rows."""
        return rfc3339(self._clock.utc())

    def look(self, *, thorough: bool = False) -> Look:
        """Make sure that what is there can be opened: a damaged file gives way to a backup."""
        if self.current is not None and self.current.replaced():
            self.current.leave_log()
        found, message = self._find(thorough=thorough)
        if found is Found.SOUND:
            look = Look(found, unsaved=self._save_before_migration())
        elif found is Found.AWAY:
            look = Look(found, message)
        else:
            look = self._replace(found, message)
        self._looked = look.found is not Found.AWAY
        return look

    @property
    def needs_look(self) -> bool:
        """Whether the file must be looked at before it is opened again."""
        return not self._looked or self.lost() or self.is_damaged

    @property
    def is_damaged(self) -> bool:
        """Whether the database in use was found to be damaged."""
        return self.current is not None and bool(self.current.damaged)

    def open(
        self,
        problems: Problems,
        look: Look | None = None,
        last: int = 0,
        known: Iterable[StoredEvent] = (),
    ) -> Opened | None:
        """Open the file as the look left it, and let the log go on; None when it cannot be.

        `last` is the last number that is known to be given, 0 when only the file of the numbers
        knows; `known` are events that are in memory still. Without a look, it is as it was.
        """
        if look is not None and look.found is Found.AWAY:
            problems.report("database-unavailable", look.message)
            return None
        try:
            self.current = database = self._opened()
            origin = Origin.KEPT if look is None else self._origin(look, database, last)
            hole = None
            if origin is not Origin.KEPT:
                upto = max(last or self._upto(origin, database), database.last)
                hole = database.continue_at(upto, self.now(), known)
        except StoreError as error:  # it may be whole, and usable later: it stays where it is
            self.close()
            problems.report("database-unavailable", error.message)
            return None
        return Opened(origin, look or Look(Found.SOUND), hole)

    def last_change(self, opened: Opened | None, known: int) -> int:
        """Return after which number changes are counted on; `known` is the last that was found."""
        numbers = self._changes
        if opened is not None and opened.origin is Origin.KEPT:
            given = numbers.since
        else:
            unknown = opened is not None and opened.origin is Origin.RESTORED and not numbers.upto
            given = known + FAR_CHANGES if unknown else numbers.upto
        self._last_change = last = max(known, given)
        try:
            numbers.reserve(last, 0)  # there was no file yet
        except StoreError as error:
            logger.warning("%s", error.message)
        return last

    def lost(self) -> bool:
        """Return whether the file in use was deleted or exchanged."""
        return self.current is not None and self.current.replaced()

    def close(self) -> None:
        """Close what is open."""
        if self.current is not None:
            self.current.close()
            self.current = None

    def end(self) -> None:
        """Close for good: no number is reserved any more."""
        if self.current is not None and not self.current.is_copy:
            try:
                self._sequence.end(self.current.last)
                self._changes.end(self._last_change)
            except StoreError as error:
                logger.warning("%s", error.message)
        self.close()

    def save(self, batch: Batch) -> tuple[int, ...]:
        """Save the batch; when the disk is full, history goes first. Raises `StoreError`."""
        try:
            return self._save(batch)
        except FullError as error:
            if not self._relieve(error):
                raise
        try:
            return self._save(batch)
        except FullError:
            spare = self.backups.newest_first()[1:]
            for path in spare:
                path.unlink(missing_ok=True)
            if not spare:
                raise
        return self._save(batch)

    def _save(self, batch: Batch) -> tuple[int, ...]:
        if self.current is None:
            raise StoreError("cannot save: there is no usable database")
        self._sequence.reserve(self.current.last, len(batch.events))
        last = max((row.id for row in batch.changes), default=0)
        self._changes.reserve(last, 0)
        self._last_change = max(last, self._last_change)
        if batch.whole and self.current.is_copy:  # from now on it is taken for the latest
            self._changes.settle(self._last_change)
        return self.current.save(batch)

    def _relieve(self, error: FullError) -> bool:
        """Make room with what is needed least; return whether there is more than before."""
        now = self._clock.monotonic()
        self.full_at = now
        freed = self.reserve.give_up()
        self.gave_up = self.gave_up or freed
        if now - self._dropped_at < APART or self.current is None:
            return freed
        self._dropped_at = now
        logger.warning("%s: history is dropped", error.message)
        try:
            dropped = self.current.relieve(self.now(), PORTIONS)
        except StoreError as again:
            logger.warning("%s", again.message)
            return freed
        self.pruned += dropped
        return True  # of the history of agents' health nobody keeps a tally

    def _opened(self) -> Database:
        try:
            return Database(self.path, check=False)
        except FullError:
            self.full_at = self._clock.monotonic()
            if not self.reserve.give_up():
                raise
        self.gave_up = True
        return Database(self.path, check=False)

    def _find(self, *, thorough: bool) -> tuple[Found, str]:
        try:
            if not self.path.exists() or (self.path.is_file() and not self.path.stat().st_size):
                return Found.MISSING, f"{self.path} was not there"
            damage = find_damage(self.path, thorough=thorough)
            if damage:
                return Found.DAMAGED, f"the database is damaged: {damage[0]}"
            return self._judge(read_contents(self.path))
        except DamagedError as error:
            return Found.DAMAGED, error.message
        except (StoreError, OSError) as error:
            return Found.AWAY, str(error)

    def _judge(self, contents: Contents) -> tuple[Found, str]:
        if contents.is_empty:
            return Found.MISSING, f"{self.path} was empty"
        if contents.schema > newest_schema():
            return Found.NEWER, f"{self.path} is of a newer version of OPMAS"
        return Found.SOUND, ""

    def _replace(self, found: Found, message: str) -> Look:
        if found is Found.NEWER and not self.backups.newest_first():
            return Look(Found.AWAY, message)  # it is said when it cannot be opened
        try:
            aside = "" if found is Found.MISSING else self._move_aside(found.name.lower())
            self._remove_logs()
            backup = self.backups.restore()
        except (OSError, StoreError) as error:
            return Look(Found.AWAY, f"{message}: {error}")
        return Look(found, message, aside, "" if backup is None else backup.name)

    def _move_aside(self, why: str) -> str:
        name = f"{self.path.name}.{why}-"
        aside = self.path.with_name(f"{name}{self._clock.utc():%Y%m%dT%H%M%S}")
        self.path.rename(aside)
        for old in sorted(self.path.parent.glob(f"{name}*"))[:-ASIDE]:
            old.unlink(missing_ok=True)
        return str(aside)

    def _remove_logs(self) -> None:
        for suffix in ("", "-wal", "-shm"):  # of a file that is gone, or has no content
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _save_before_migration(self) -> str:
        if read_contents(self.path).schema == newest_schema():
            return ""
        try:
            self.backups.make(self._clock.utc(), self.keep_backups)
        except StoreError as error:  # a migration is all or nothing: it need not wait for one
            return error.message
        return ""

    def _upto(self, origin: Origin, database: Database) -> int:
        """Return the last number that may have been given; without its file, one beyond all."""
        unknown = origin is Origin.RESTORED and not self._sequence.upto
        return database.last + FAR if unknown else self._sequence.upto

    def _origin(self, look: Look, database: Database, last: int) -> Origin:
        if look.backup:
            return Origin.RESTORED
        if look.found in {Found.MISSING, Found.DAMAGED}:
            return Origin.NEW
        older = database.last < last or self._sequence.is_older(database.last)
        older = older or database.is_copy
        return Origin.RESTORED if older else Origin.KEPT
