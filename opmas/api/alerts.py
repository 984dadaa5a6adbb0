"""`/v1/alerts`: what needs somebody now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.api.answers import passed_on
from opmas.api.documents import read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def index(api: Api) -> Response:
    """Answer GET of all that are up."""
    read_query({})
    return passed_on(api, "alert.list")
