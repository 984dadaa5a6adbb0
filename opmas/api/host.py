"""`/v1/host`: this host and its manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import jsonify

from opmas.api.documents import read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def show(api: Api) -> Response:
    """Answer GET."""
    read_query({})
    return jsonify(api.manager.call("host.status"))
