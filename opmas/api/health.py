"""`/v1/health`: does the API answer, and its manager. Open to anyone, so it tells no more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from flask import current_app, jsonify

from opmas.api.documents import read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api

FRESH: Final = 1.0  # seconds; who needs no token must not make the manager work
_ANSWER: Final = "opmas.health"


def show(api: Api) -> Response:
    """Answer GET: 200, or 503 when the manager is away."""
    read_query({})
    asked_at, state = current_app.extensions.get(_ANSWER, (0.0, ""))
    if time.monotonic() - asked_at > FRESH:
        state = api.manager.call("host.status")["state"]
        current_app.extensions[_ANSWER] = (time.monotonic(), state)
    return jsonify({"status": "ok", "manager": state})
