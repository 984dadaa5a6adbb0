"""The Flask application: every request passes here, in this order: token, name, handler.

It is the composition root of the API. The request's `Host` is never used: `Location` is a path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, request
from werkzeug.routing import Map

from opmas.api import problems, query
from opmas.api.access import Permission, authenticate
from opmas.api.context import Api
from opmas.api.database import Database
from opmas.api.documents import BODY_LIMIT
from opmas.api.feed import Feed
from opmas.api.manager import Manager
from opmas.api.places import Places
from opmas.api.resources import RESOURCES, Resource
from opmas.api.retention import Retention
from opmas.api.tokens import Tokens
from opmas.api.uploads import Uploads
from opmas.core.agent.terms import check_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.api.settings import ApiSection

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
OPEN_PATHS: Final = frozenset(r.path for r in RESOURCES if r.permission is Permission.NONE)


def create_app(settings: ApiSection) -> Flask:
    """Return the application; it opens nothing before its first request."""
    manager = Manager(settings.manager_socket, settings.manager_timeout)
    database = Database(settings.database)
    feed, places = Feed(manager.connect), Places(settings.waiting)
    uploads = Uploads(settings.upload_dir, settings.upload_limit)
    retention = Retention(uploads, manager.connect)
    api = Api(manager, database, Tokens(database), feed, places, uploads, retention)

    app = Flask("opmas.api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT + 1  # `documents` sets the limit itself
    app.json.sort_keys = False  # type: ignore[attr-defined] # of the default provider
    app.url_map = Map(merge_slashes=False)  # `//` is no resource, and no redirect either
    app.extensions["opmas"] = api
    problems.install(app)
    app.before_request(lambda: _admit(api))
    app.after_request(_secure)
    for resource in RESOURCES:
        _add(app, api, resource)
    return app


def api_of(app: Flask) -> Api:
    """Return what the application's handlers work with."""
    api: Api = app.extensions["opmas"]
    return api


def _admit(api: Api) -> None:
    """Ask for a token before anything else is said, also whether a path exists."""
    rule = request.url_rule
    if rule is None or rule.rule not in OPEN_PATHS:
        authenticate(api.tokens)


def _secure(answer: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def _add(app: Flask, api: Api, resource: Resource) -> None:
    app.add_url_rule(
        resource.path,
        f"{resource.method} {resource.path}".replace(".", "_"),  # a dot means a blueprint
        _view(api, resource),
        methods=[resource.method],
    )


def _view(api: Api, resource: Resource) -> Callable[..., Response]:
    def view(**variables: Any) -> Response:
        if "name" in variables:
            check_name(variables["name"], "name")
        if "version" in variables:
            query.check_version(variables["version"])
        return resource.handler(api, **variables)

    return view
