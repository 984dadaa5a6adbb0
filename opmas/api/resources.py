"""The table of resources: path, method, handler, permission. A new resource is a line here.

openapi.yaml, the contract, is changed first; a test compares the two.

A handler decodes the request, asks the manager and encodes its answer; it gets the `Api` and
the variables of the path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.api import (
    agents,
    alerts,
    changes,
    events,
    health,
    history,
    host,
    limits,
    openapi,
    packages,
)
from opmas.api.access import Permission

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response


NUMBER: Final = "<int(min=1, max=999999999999):number>"


@dataclass(frozen=True, slots=True)
class Resource:
    """One method of one path."""

    method: str
    path: str
    handler: Callable[..., Response]
    permission: Permission


RESOURCES: Final = (
    Resource("GET", "/v1/openapi.json", openapi.show, Permission.NONE),
    Resource("GET", "/v1/health", health.show, Permission.NONE),
    Resource("GET", "/v1/host", host.show, Permission.HOST_READ),
    Resource("GET", "/v1/agents", agents.index, Permission.AGENTS_READ),
    Resource("GET", "/v1/agents/<name>", agents.show, Permission.AGENTS_READ),
    Resource("PUT", "/v1/agents/<name>", agents.put, Permission.AGENTS_WRITE),
    Resource("DELETE", "/v1/agents/<name>", agents.delete, Permission.AGENTS_WRITE),
    Resource("GET", "/v1/agents/<name>/explain", agents.explain, Permission.AGENTS_READ),
    Resource("POST", "/v1/agents/<name>/start", agents.start, Permission.AGENTS_OPERATE),
    Resource("POST", "/v1/agents/<name>/stop", agents.stop, Permission.AGENTS_OPERATE),
    Resource("POST", "/v1/agents/<name>/restart", agents.restart, Permission.AGENTS_OPERATE),
    Resource("POST", "/v1/agents/<name>/update", agents.update, Permission.AGENTS_WRITE),
    Resource("POST", "/v1/agents/<name>/rollback", agents.rollback, Permission.AGENTS_WRITE),
    Resource("GET", "/v1/agents/<name>/history", history.show, Permission.AGENTS_READ),
    Resource("GET", "/v1/limits", limits.index, Permission.AGENTS_READ),
    Resource("GET", "/v1/agents/<name>/limits", limits.show, Permission.AGENTS_READ),
    Resource("POST", "/v1/agents/<name>/limits/apply", limits.apply, Permission.AGENTS_WRITE),
    Resource("GET", "/v1/packages", packages.index, Permission.PACKAGES_READ),
    Resource("GET", "/v1/packages/<name>", packages.show, Permission.PACKAGES_READ),
    Resource("DELETE", "/v1/packages/<name>", packages.delete, Permission.PACKAGES_WRITE),
    Resource(
        "PUT",
        "/v1/packages/<name>/versions/<version>",
        packages.upload,
        Permission.PACKAGES_WRITE,
    ),
    Resource("POST", "/v1/packages/<name>/install", packages.install, Permission.PACKAGES_WRITE),
    Resource("POST", "/v1/packages/<name>/update", packages.update, Permission.PACKAGES_WRITE),
    Resource("POST", "/v1/packages/<name>/rollback", packages.rollback, Permission.PACKAGES_WRITE),
    Resource("POST", "/v1/packages/<name>/hold", packages.hold, Permission.PACKAGES_WRITE),
    Resource("POST", "/v1/packages/<name>/unhold", packages.unhold, Permission.PACKAGES_WRITE),
    Resource("GET", "/v1/changes", changes.index, Permission.CHANGES_READ),
    Resource("GET", f"/v1/changes/{NUMBER}", changes.show, Permission.CHANGES_READ),
    Resource("POST", f"/v1/changes/{NUMBER}/undo", changes.undo, Permission.CHANGES_UNDO),
    Resource("GET", "/v1/alerts", alerts.index, Permission.AGENTS_READ),
    Resource("GET", "/v1/events", events.index, Permission.EVENTS_READ),
)
