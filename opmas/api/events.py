"""`/v1/events`: the host's event log, in JSON pages or as a stream that never ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from flask import Response, g, jsonify, request

from opmas.api import query
from opmas.api.answers import passed_on
from opmas.api.documents import read_query
from opmas.api.presence import Presence
from opmas.api.stream import TICK, Filter, Stream, start_at
from opmas.errors import RequestError

if TYPE_CHECKING:
    from opmas.api.context import Api

EVENT_STREAM: Final = "text/event-stream"
PAGE: Final = 100  # events, unless `limit` says otherwise
MOST: Final = 1000
POSITION: Final = query.whole(0, 2**53 - 1)  # beyond it, JSON numbers are not exact everywhere
FILTERS: Final = {
    "after": POSITION,
    "since": query.instant,
    "agent": query.agent,
    "type": query.event_type,
}


def index(api: Api) -> Response:
    """Answer GET with a page, or a stream when the client accepts that rather than JSON."""
    offered = ["application/json", EVENT_STREAM]
    if request.accept_mimetypes.best_match(offered) == EVENT_STREAM:
        return _stream(api)
    return _page(api)


def _page(api: Api) -> Response:
    asked = read_query({**FILTERS, "limit": query.whole(1, MOST), "wait": query.seconds})
    wait = asked.pop("wait", 0.0)
    asked.setdefault("limit", PAGE)
    if not wait:
        return passed_on(api, "event.list", **asked)
    page = api.manager.call("event.list", **asked)
    if not page["events"]:
        page = _later_page(api, asked, page, time.monotonic() + wait)
    return jsonify(page)


def _later_page(
    api: Api, asked: dict[str, Any], page: dict[str, Any], deadline: float
) -> dict[str, Any]:
    """Return the first page with events, or the empty one when the time is over.

    The feed waits, not the manager: one long-poll serves all clients, and a stop ends it.
    """
    presence = _presence(api)
    with api.places.one(), api.feed.following():
        while not page["events"] and (left := deadline - time.monotonic()) > 0:
            if api.feed.closed or not presence.lasts():
                break
            api.feed.wait(page["last"], min(left, TICK))
            page = api.manager.call("event.list", **{**asked, "after": page["last"]})
    return page


def _stream(api: Api) -> Response:
    asked = read_query(FILTERS)
    start = start_at(api.manager, _position(api, asked))
    wanted = Filter(asked.get("agent"), asked.get("type"))
    stream = Stream(api.manager, api.feed, wanted, _presence(api).lasts)
    api.places.take()
    answer = Response(stream.run(start), mimetype=EVENT_STREAM)
    answer.call_on_close(api.places.leave)
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    return answer


def _position(api: Api, asked: dict[str, Any]) -> int | None:
    """Return after which event to start: where the client was, else where it asks to."""
    seen = request.headers.get("Last-Event-ID")
    if seen:
        try:
            return POSITION(seen)
        except ValueError as error:
            raise RequestError(f"cannot read Last-Event-ID: {error}") from error
    if "since" in asked and "after" not in asked:
        page = api.manager.call("event.list", since=asked["since"], limit=1)
        return int(page["events"][0]["sequence"] - 1 if page["events"] else page["last"])
    after: int | None = asked.get("after")
    return after


def _presence(api: Api) -> Presence:
    return Presence(request.environ.get("gunicorn.socket"), g.token, api.tokens)
