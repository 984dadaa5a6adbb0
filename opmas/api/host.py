"""`/v1/host`: this host and its manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.api.answers import passed_on
from opmas.api.documents import read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def show(api: Api) -> Response:
    """Answer GET."""
    read_query({})
    return passed_on(api, "host.status")
