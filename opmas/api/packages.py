"""`/v1/packages`: the agent packages on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import jsonify

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def index(api: Api) -> Response:
    """Answer GET of all."""
    return jsonify(api.manager.call("package.list"))


def show(api: Api, name: str) -> Response:
    """Answer GET of one, with its whole manifest."""
    return jsonify(api.manager.call("package.show", name=name))
