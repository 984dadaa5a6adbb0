"""The event log's length: what is too many goes in portions, and what went is said."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from opmas.manager.clock import rfc3339
from opmas.store.rows import Keep, Pruned, Query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.core.documents.settings import EventsSection
    from opmas.manager.clock import Clock
    from opmas.manager.state.database import Databases
    from opmas.manager.state.eventlog import EventLog
    from opmas.manager.state.writer import Writer
    from opmas.store.database import Database

BETWEEN: Final = 0.01  # seconds between two portions: others have their turn
OFTEN: Final = 20  # times that the log is looked at while it is written through once
TOLD_APART: Final = 3600.0  # seconds: a full log loses an event with each new one
TOLD_AT_ONCE: Final = {"disk-full"}
LEAP: Final = 3600.0  # seconds; a clock that is set by more was wrong before or is now
TRUSTED_AFTER: Final = 86400.0  # seconds: until then somebody has mended it


class WallClock:
    """Whether the wall clock can be trusted to say how old an event is.

    A clock that is a year ahead would have the whole log deleted. So nothing goes by age for a
    day after the clock was set, or after a start at a time that does not follow from the log.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: float | None = None
        self._since = float("-inf")

    def begin(self, newest: str) -> None:
        """Compare with the time of the newest event, empty when there is none."""
        self._offset = self._now()
        age = timedelta()
        if newest:
            age = self._clock.utc() - datetime.fromisoformat(newest)
        if not -timedelta(seconds=LEAP) <= age <= timedelta(seconds=TRUSTED_AFTER):
            self._since = self._clock.monotonic()

    def is_trusted(self) -> bool:
        """Return whether it is now; ask often, so that a leap is seen."""
        offset = self._now()
        if self._offset is None or abs(offset - self._offset) > LEAP:
            self._since = self._clock.monotonic()
        self._offset = offset
        return self._clock.monotonic() - self._since >= TRUSTED_AFTER

    def _now(self) -> float:
        return self._clock.utc().timestamp() - self._clock.monotonic()


class Pruning:
    """Keeps the event log as long as the settings say."""

    def __init__(
        self,
        settings: EventsSection,
        databases: Databases,
        writer: Writer,
        log: EventLog,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._databases = databases
        self._writer = writer
        self._log = log
        self._clock = clock
        self._wall = WallClock(clock)
        self._begun = False
        self._pruned_at = 0  # the last number then
        self._untold: dict[str, Pruned] = {}  # by reason
        self._told_at: dict[str, float] = {}

    def is_due(self) -> bool:
        """Return whether so many events came that it is to be looked at before its turn."""
        self._wall.is_trusted()
        most = self._settings.max_count // OFTEN
        return self._log.last - self._pruned_at > max(most, 1)

    def oldest(self, max_age: float) -> str | None:
        """Return the time before which things are too old; None while the clock is not trusted."""
        if not self._wall.is_trusted():
            return None
        return rfc3339(self._clock.utc() - timedelta(seconds=max_age))

    async def run(self) -> None:
        """Delete what is too much. Raises `StoreError`."""
        while (database := self._databases.current) is not None:
            found = database.prune(self._keep(database), self._databases.now())
            self._log.first, self._pruned_at = database.first, database.last
            if found is None:
                break
            self.note([found])
            await asyncio.sleep(BETWEEN)

    def note(self, pruned: Iterable[Pruned]) -> None:
        """Take note of what went."""
        for each in pruned:
            known = self._untold.get(each.reason, each)
            self._untold[each.reason] = replace(
                each,
                first=min(known.first, each.first),
                last=max(known.last, each.last),
                count=each.count + (known.count if known is not each else 0),
            )

    def tell(self) -> None:
        """Announce what went and was not told, for each reason once an hour."""
        now = self._clock.monotonic()
        for reason, each in list(self._untold.items()):
            since = now - self._told_at.get(reason, float("-inf"))
            if since < TOLD_APART and reason not in TOLD_AT_ONCE:
                continue
            del self._untold[reason]
            self._told_at[reason] = now
            data = {"first": each.first, "last": each.last, "reason": reason, "count": each.count}
            self._writer.announce("opmas.log.pruned", "manager", data)

    def _keep(self, database: Database) -> Keep:
        if not self._begun:
            self._begun = True
            newest = database.events(Query(limit=1))
            self._wall.begin(newest[0].time if newest else "")
        given, oldest = self._settings, self.oldest(self._settings.max_age)
        agents = int(given.max_count * given.agents_share)
        return Keep(given.max_count, given.max_bytes, agents, oldest)
