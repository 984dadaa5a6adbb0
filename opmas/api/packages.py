"""`/v1/packages`: the agent packages on this host, and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import jsonify, request
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from opmas.api import query
from opmas.api.access import author, check_again
from opmas.api.answers import ACTING, MOVING, accepted, passed_on, waiting
from opmas.api.documents import pieces, read_members, read_query, word
from opmas.errors import ManagerError

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api

BUNDLE_TYPES: Final = ("application/vnd.opmas.bundle", "application/octet-stream")


def index(api: Api) -> Response:
    """Answer GET of all."""
    read_query({})
    return passed_on(api, "package.list")


def show(api: Api, name: str) -> Response:
    """Answer GET of one, with its whole manifest."""
    read_query({})
    return passed_on(api, "package.show", name=name)


def install(api: Api, name: str) -> Response:
    """Answer POST of install: from where this host has its packages."""
    return _act(api, "package.install", name, read_members({"version": word}))


def update(api: Api, name: str) -> Response:
    """Answer POST of update: of every agent of the package."""
    return _act(api, "package.update", name, read_members(MOVING))


def rollback(api: Api, name: str) -> Response:
    """Answer POST of rollback."""
    return _act(api, "package.rollback", name, read_members(MOVING))


def delete(api: Api, name: str) -> Response:
    """Answer DELETE: of one version, or of the whole package."""
    asked = read_query({**ACTING, "version": query.version})
    read_members({})
    return accepted(waiting(api, "package.remove", name=name, author=author(), **asked), asked)


def hold(api: Api, name: str) -> Response:
    """Answer POST of hold."""
    return _set_hold(api, name, hold=True)


def unhold(api: Api, name: str) -> Response:
    """Answer POST of unhold."""
    return _set_hold(api, name, hold=False)


def upload(api: Api, name: str, version: str) -> Response:
    """Answer PUT of a version: take the bundle in, and have it installed."""
    asked = read_query(ACTING)
    if request.mimetype not in BUNDLE_TYPES:
        raise UnsupportedMediaType(f"the body must be `Content-Type: {BUNDLE_TYPES[0]}`")
    is_chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if request.content_length is None and not is_chunked:
        raise LengthRequired
    api.manager.call("host.status")  # nobody should send a gigabyte to hear that it is away
    with api.places.one():
        # Not `request.stream`: that has the limit of the other bodies.
        bundle = api.uploads.receive(
            pieces(get_input_stream(request.environ)), request.content_length
        )
    result = _install(api, bundle, {"name": name, "version": version, **asked})
    return accepted(result, asked)


def _install(api: Api, bundle: str, params: dict[str, Any]) -> dict[str, Any]:
    try:
        check_again(api.tokens)  # the body may have taken hours
        result = waiting(api, "package.install", upload=bundle, author=author(), **params)
    except ManagerError:  # it may have heard us
        api.retention.keep(bundle)
        raise
    except BaseException:
        api.uploads.discard(bundle)
        raise
    if params.get("dry_run"):
        api.uploads.discard(bundle)
    else:
        api.retention.keep(bundle, result["change"]["id"])
    return result


def _act(api: Api, method: str, name: str, members: dict[str, Any]) -> Response:
    asked = read_query(ACTING)
    return accepted(waiting(api, method, name=name, author=author(), **members, **asked), asked)


def _set_hold(api: Api, name: str, *, hold: bool) -> Response:
    read_query({})
    read_members({})
    return jsonify(api.manager.call("package.hold", name=name, hold=hold, author=author()))
