"""The database over time: opened, found damaged or gone, moved aside, made anew.

A missing, damaged or full database never stops an agent and never stops the manager. What is
wrong is said; agents are rebuilt from the files beside them (`files.py`), and the event log goes
on after the last number that is known.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opmas.errors import DamagedError, StoreError
from opmas.manager.clock import Clock, rfc3339
from opmas.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.manager.problems import Problems

logger = logging.getLogger(__name__)


class Databases:
    """The one database that is in use now, if there is one."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.current: Database | None = None
        self._clock = clock

    def now(self) -> str:
        """Return the wall time as it is written in rows."""
        return rfc3339(self._clock.utc())

    def open(self, problems: Problems) -> bool:
        """Open the file, a damaged one moved aside first; return whether it is a new one."""
        is_new = not self.path.exists()
        try:
            self.current = Database(self.path)
        except DamagedError as error:
            problems.report("database-damaged", f"{error.message}: {self._move_aside()}")
            is_new = True
            self.current = self._made_anew(problems)
        except StoreError as error:  # it may be whole, and readable later: it stays where it is
            self.current = None
            problems.report("database-unavailable", error.message)
        return is_new

    def _made_anew(self, problems: Problems) -> Database | None:
        try:
            return Database(self.path)
        except StoreError as error:
            problems.report("database-unavailable", error.message)
            return None

    def lost(self) -> bool:
        """Return whether the file in use was deleted or exchanged."""
        return self.current is not None and self.current.replaced()

    def close(self) -> None:
        """Close what is open."""
        if self.current is not None:
            self.current.close()
            self.current = None

    def _move_aside(self) -> str:
        aside = self.path.with_name(f"{self.path.name}.damaged-{self._clock.utc():%Y%m%dT%H%M%S}")
        try:
            if self.path.exists():
                self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            return f"it cannot be moved aside: {error.strerror}"
        return f"a new one was made, the old one is {aside}"
