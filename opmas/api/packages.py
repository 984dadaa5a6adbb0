"""`/v1/packages`: the agent packages on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import jsonify

from opmas.api.documents import read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def index(api: Api) -> Response:
    """Answer GET of all."""
    read_query({})
    return jsonify(api.manager.call("package.list"))


def show(api: Api, name: str) -> Response:
    """Answer GET of one, with its whole manifest."""
    read_query({})
    return jsonify(api.manager.call("package.show", name=name))
