"""`/v1/changes`: what was changed on this host, what is being changed, and taking it back.

A change under way is followed in short long-polls on the manager, so that a client that left and
the end of the process are noticed within a second.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Response, g, jsonify, request

from opmas.api import query
from opmas.api.access import author
from opmas.api.answers import ACTING, accepted, passed_on, waiting
from opmas.api.documents import read_members, read_query
from opmas.api.events import EVENT_STREAM
from opmas.api.presence import Presence
from opmas.api.progress import Progress
from opmas.api.stream import TICK
from opmas.core.change.change import FINAL, ChangeState
from opmas.core.documents import fields
from opmas.errors import RequestError

if TYPE_CHECKING:
    from opmas.api.context import Api

MOST: Final = 500  # as the manager has it
SERIAL: Final = query.whole(0, 2**53 - 1)
FILTERS: Final = {
    "agent": query.agent,
    "package": query.package,
    "state": fields.one_of(ChangeState),
    "active": query.flag,
    "limit": query.whole(1, MOST),
    "before": query.whole(1, 2**53 - 1),
}


def index(api: Api) -> Response:
    """Answer GET of all, the newest first."""
    return passed_on(api, "change.list", **read_query(FILTERS))


def show(api: Api, number: int) -> Response:
    """Answer GET of one: as it is, as it is later, or as a stream until it has ended."""
    offered = ["application/json", EVENT_STREAM]
    if request.accept_mimetypes.best_match(offered) == EVENT_STREAM:
        return _stream(api, number)
    asked = read_query({"wait": query.seconds, "seen": SERIAL})
    if not asked.get("wait"):
        return passed_on(api, "change.show", id=number)
    return jsonify(_later(api, number, asked.get("seen"), time.monotonic() + asked["wait"]))


def undo(api: Api, number: int) -> Response:
    """Answer POST of undo."""
    asked = read_query(ACTING)
    read_members({})
    return accepted(waiting(api, "change.undo", id=number, author=author(), **asked), asked)


def _later(api: Api, number: int, seen: int | None, deadline: float) -> dict[str, Any]:
    """Return the change when it is another than was seen, or has ended, or the time is over."""
    presence = _presence(api)
    with api.places.one():
        view = api.manager.call("change.show", id=number)
        while view["state"] not in FINAL and seen in {None, view["serial"]}:
            left = deadline - time.monotonic()
            if left <= 0 or api.feed.closed or not presence.lasts():
                break
            wait = min(left, TICK)
            view = api.manager.call("change.show", id=number, seen=view["serial"], wait=wait)
    return view


def _stream(api: Api, number: int) -> Response:
    seen = _position(read_query({"seen": SERIAL}).get("seen"))
    view = api.manager.call("change.show", id=number)
    if view["state"] in FINAL and view["serial"] == seen:
        # WHATWG HTML 9.2.3: this, and no end of a stream, stops a browser from reconnecting.
        return Response(status=HTTPStatus.NO_CONTENT.value)
    progress = Progress(api.manager, _presence(api).lasts, lambda: api.feed.closed)
    api.places.take()
    answer = Response(progress.run(view, seen), mimetype=EVENT_STREAM)
    answer.call_on_close(api.places.leave)
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    return answer


def _position(asked: int | None) -> int | None:
    written = request.headers.get("Last-Event-ID")
    if not written:
        return asked
    try:
        return SERIAL(written)
    except ValueError as error:
        raise RequestError(f"cannot read Last-Event-ID: {error}") from error


def _presence(api: Api) -> Presence:
    return Presence(request.environ.get("gunicorn.socket"), g.token, api.tokens)
