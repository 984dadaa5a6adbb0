"""`/v1/limits`: what applies to agents, what they used, and what would fit them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.api.access import author
from opmas.api.answers import ACTING, accepted, passed_on, waiting
from opmas.api.documents import read_members, read_query

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api


def index(api: Api) -> Response:
    """Answer GET of all."""
    read_query({})
    return passed_on(api, "limits.list")


def show(api: Api, name: str) -> Response:
    """Answer GET of one."""
    read_query({})
    return passed_on(api, "limits.show", name=name)


def apply(api: Api, name: str) -> Response:
    """Answer POST of apply: give the agent what is proposed."""
    asked = read_query(ACTING)
    read_members({})
    return accepted(waiting(api, "limits.apply", name=name, author=author(), **asked), asked)
