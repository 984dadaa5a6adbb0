"""`/v1/agents/NAME/history`: what an agent's phase and health were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.api import query
from opmas.api.answers import passed_on
from opmas.api.documents import read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api

ASKED: Final = {
    "since": query.instant,
    "until": query.instant,
    "limit": query.whole(1, 1000),
}


def show(api: Api, name: str) -> Response:
    """Answer GET."""
    return passed_on(api, "agent.history", name=name, **read_query(ASKED))
