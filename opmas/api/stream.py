"""Server-sent events (WHATWG HTML 9.2) for one client: `id` is the sequence, `event` the type.

The client's position moves only with what was yielded. Every keep-alive carries the position
too, so a client that reconnects with `Last-Event-ID` goes on where it was, also when nothing
that it asked for happened in between. When the events after the position exist no more, one
event `gap` says so, and the stream goes on with the oldest that there is. When some between those
that it yields are gone, an event `dropped` says which and why.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from opmas.api.feed import Event, Feed
    from opmas.api.manager import Manager

KEEP_ALIVE: Final = 15.0  # seconds; proxies give up after 30 to 60
TICK: Final = 1.0  # seconds until a client that left is noticed
PAGE: Final = 500  # events
RETRY_MS: Final = 1000  # what a browser waits before it reconnects


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events a client wants; None is all."""

    agent: str | None = None
    type: str | None = None

    def accepts(self, event: Event) -> bool:
        """Tell whether the client wants the event."""
        return self.type in {None, event["type"]} and (
            self.agent is None or event["subject"] == f"agent/{self.agent}"
        )


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream starts, and what is missing before: (asked, first, last)."""

    position: int
    gap: tuple[int, int, int] | None = None
    dropped: tuple[dict[str, Any], ...] = ()  # what is known of why


def start_at(manager: Manager, asked: int | None) -> Start:
    """Return the start after event `asked`; None is from now on."""
    log = manager.call("host.status")["events"]
    first, last = log["first"], log["last"]
    if asked is None:
        return Start(last)
    oldest = max(first - 1, 0) if first else last
    if asked > last:  # the position is of a log that was lost
        return Start(oldest, (asked, first, last))
    if asked >= oldest:
        return Start(asked)
    page = manager.call("event.list", after=asked, limit=1)
    return Start(oldest, (asked, first, last), tuple(page.get("dropped", ())))


class Stream:
    """Yields the text of one client's stream until `is_wanted` says no or the process ends."""

    def __init__(
        self,
        manager: Manager,
        feed: Feed,
        wanted: Filter,
        is_wanted: Callable[[], bool],
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self._manager = manager
        self._feed = feed
        self._wanted = wanted
        self._is_wanted = is_wanted
        self._keep_alive = keep_alive
        self._told: set[tuple[str, int]] = set()  # of what is gone

    def run(self, start: Start) -> Generator[bytes]:
        """Yield the stream from its start."""
        self._told = {(each["reason"], each["last"]) for each in start.dropped}
        yield f"retry: {RETRY_MS}\n".encode() + _opening(start)
        position, logs, written_at = start.position, self._feed.logs, time.monotonic()
        with self._feed.following():
            while self._is_wanted() and not self._feed.closed:
                if self._feed.logs != logs:
                    logs, position, text = self._begin_anew(logs, position)
                else:
                    position, text = self._next(position)
                if not text and time.monotonic() - written_at >= self._keep_alive:
                    text = b": keep-alive\n" + _position(position)
                if text:
                    yield text
                    written_at = time.monotonic()

    def _next(self, position: int) -> tuple[int, bytes]:
        """Return the events after the position as text, when there are any within a tick."""
        self._feed.wait(position, TICK)
        events, missing = self._feed.after(position), b""
        last = events[-1]["sequence"] if events else position
        if events is None:
            try:
                page = self._manager.call("event.list", after=position, limit=PAGE)
            except BackendError:
                time.sleep(TICK)  # the manager is away: the client keeps its stream
                return position, b""
            events, last = page["events"], page["last"]
            missing = self._missing(page.get("dropped", ()))
        frames = (_frame(event) for event in events if self._wanted.accepts(event))
        return last, missing + b"".join(frames)

    def _missing(self, dropped: Iterable[dict[str, Any]]) -> bytes:
        """Return what is gone as events without an `id`, each told once."""
        text = b""
        for each in dropped:
            if (each["reason"], each["last"]) not in self._told:
                self._told.add((each["reason"], each["last"]))
                text += f"event: dropped\ndata: {json.dumps(each)}\n\n".encode()
        return text

    def _begin_anew(self, logs: int, position: int) -> tuple[int, int, bytes]:
        now = self._feed.logs
        try:
            start = start_at(self._manager, position)
        except BackendError:
            time.sleep(TICK)
            return logs, position, b""
        return now, start.position, _opening(start) if start.gap else b""


def _opening(start: Start) -> bytes:
    text = _position(start.position)
    if start.gap is None:
        return text
    asked, first, last = start.gap
    gap: dict[str, Any] = {"after": asked, "first": first, "last": last}
    if start.dropped:
        gap["dropped"] = start.dropped
    return text + f"event: gap\ndata: {json.dumps(gap)}\n\n".encode()


def _position(position: int) -> bytes:
    # No `data`: the client remembers the id and dispatches nothing (WHATWG HTML 9.2.6).
    return f"id: {position}\n\n".encode()


def _frame(event: dict[str, Any]) -> bytes:
    # json.dumps escapes every line break; a type is words and dots, made sure of here because a
    # line break in it would be a field of its own.
    kind = "".join(str(event["type"]).split())
    document = json.dumps(event, separators=(",", ":"))
    return f"id: {event['sequence']}\nevent: {kind}\ndata: {document}\n\n".encode()
