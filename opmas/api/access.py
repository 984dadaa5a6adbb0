"""Who may ask: a bearer token for everything but the resources that are open to anyone."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING

from flask import g, request
from werkzeug.exceptions import Unauthorized

from opmas.errors import StoreError

if TYPE_CHECKING:
    from opmas.api.tokens import Token, Tokens

logger = logging.getLogger(__name__)


class Permission(StrEnum):
    """What a resource demands; a token has all of them."""

    NONE = "none"  # open to anyone
    HOST_READ = "host.read"
    AGENTS_READ = "agents.read"
    AGENTS_WRITE = "agents.write"
    AGENTS_OPERATE = "agents.operate"
    PACKAGES_READ = "packages.read"
    PACKAGES_WRITE = "packages.write"
    CHANGES_READ = "changes.read"
    CHANGES_UNDO = "changes.undo"
    EVENTS_READ = "events.read"


def authenticate(tokens: Tokens) -> None:
    """Put the caller's token in `g.token`, or raise what becomes 401."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized(
            "this needs a token: send `Authorization: Bearer TOKEN`;"
            " `opmas token create --name NAME` on the host makes one"
        )
    token = tokens.find(text.strip())
    if token is None:
        raise Unauthorized(
            "the token is unknown, expired or revoked: `opmas token list` on the host shows which"
        )
    g.token = token
    try:
        tokens.mark_used(token)
    except StoreError as error:  # a full disk must not lock anyone out
        logger.warning("token %s: not marked as used: %s", token.name, error.message)


def check_again(tokens: Tokens) -> None:
    """Raise what becomes 401 when the caller's token ended while the request was read."""
    if not tokens.is_live(g.token):
        raise Unauthorized("the token expired or was revoked while the body was read")


def author() -> str:
    """Return who asks, for the manager's records."""
    token: Token = g.token
    return f"token:{token.name}"
