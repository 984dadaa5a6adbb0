"""`/v1/host`: this host and its manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import jsonify

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def show(api: Api) -> Response:
    """Answer GET."""
    return jsonify(api.manager.call("host.status"))
