"""The event log as others read it: CloudEvents, pages, and waiting for the next one."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opmas.store.database import ENVELOPE, PAGE_BYTES
from opmas.store.rows import Query, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opmas.store.database import Database

TAIL: Final = 1000  # events kept in memory: enough that followers never read the disk
SMALL: Final = 100  # events; so many of the largest fit into one answer


class Page(NamedTuple):
    """An answer: events, the number to go on after, and which are missing between the two."""

    events: list[dict[str, Any]]
    last: int
    dropped: list[dict[str, Any]]


class EventLog:
    """Saved events, announced to whoever waits. Events enter after they are on the disk."""

    def __init__(self, host: str, database: Callable[[], Database | None]) -> None:
        self._source = f"/hosts/{host}"
        self._database = database
        self._tail: deque[StoredEvent] = deque(maxlen=TAIL)
        self._waiting: set[asyncio.Future[None]] = set()
        self.first = self.last = 0
        self.published: Callable[[Iterable[StoredEvent]], None] = lambda _: None

    def load(self) -> None:
        """Read the newest events from the database."""
        database = self._database()
        if database is None:
            return
        self.first, self.last = database.bounds()
        self._tail.clear()
        self._tail.extend(database.events(Query(limit=TAIL)))

    @property
    def tail(self) -> tuple[StoredEvent, ...]:
        """The newest events, in memory: what a database that is lost had too."""
        return tuple(self._tail)

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Announce events that were saved."""
        if not events:
            return
        self._tail.extend(events)
        self.last = events[-1].sequence
        self.first = self.first or events[0].sequence
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self.published(events)

    async def page(self, query: Query, wait: float) -> Page:
        """Return the events that match, the number to go on after, and what is missing between.

        When there are none and `wait` seconds are given, the answer comes with the first one.
        """
        after = query.after
        found, last = self._read(query)
        if not found and wait > 0:
            if query.after is None:  # wait for what is new
                query = replace(query, after=max(last, self.last), since=None)
            loop = asyncio.get_running_loop()
            deadline = loop.time() + wait
            while not found and (remaining := deadline - loop.time()) > 0:
                await self._next(remaining)
                found, last = self._read(query)
        events = [self._envelope(event) for event in found]
        return Page(events, last, [] if after is None else self._dropped(after, last))

    def _dropped(self, after: int, last: int) -> list[dict[str, Any]]:
        """Return which events after `after` are gone, as far as they begin before `last`."""
        database = self._database()
        return [
            {"first": max(p.first, after + 1), "last": p.last, "reason": p.reason}
            for p in (() if database is None else database.pruned)
            if p.last > after and p.first <= last
        ]

    async def _next(self, timeout: float) -> None:  # noqa: ASYNC109 -- it returns, it does not raise
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=timeout)
        finally:
            self._waiting.discard(future)

    def _read(self, query: Query) -> tuple[list[StoredEvent], int]:
        after, cut = query.after, False
        if after is not None and self._tail and after >= self._tail[0].sequence - 1:
            rest = [e for e in self._tail if e.sequence > after]
            found, cut = _bounded([e for e in rest if _matches(e, query)][: query.limit])
        elif (database := self._database()) is not None:
            found, cut = database.page(query, PAGE_BYTES)
        else:
            matching = [e for e in self._tail if _matches(e, query)]
            newest = after is None and query.since is None
            found = matching[-query.limit :] if newest else matching[: query.limit]
        full = cut or len(found) >= query.limit
        last = found[-1].sequence if found and full else max(self.last, after or 0)
        return found, last

    def _envelope(self, event: StoredEvent) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": str(event.sequence),
            "source": self._source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time,
            "sequence": event.sequence,
            "datacontenttype": "application/json",
            "data": event.data,
        }


def _bounded(events: list[StoredEvent]) -> tuple[list[StoredEvent], bool]:
    """Return as many as fit into one answer, or one, and whether that are not all."""
    if len(events) <= SMALL:
        return events, False
    size = 0
    for count, event in enumerate(events):
        size += len(json.dumps(event.data)) + ENVELOPE
        if count and size > PAGE_BYTES:
            return events[:count], True
    return events, False


def _matches(event: StoredEvent, query: Query) -> bool:
    return (
        (query.subject is None or event.subject == query.subject)
        and (query.type is None or event.type == query.type)
        and (query.since is None or event.time >= query.since)
    )
