"""Bearer tokens: `opmas_<id>_<secret>`, of which only a digest of the secret is stored.

The secret has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess that a
slow hash would slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opmas.errors import InvalidError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.api.database import Database

TOKEN: Final = re.compile(r"opmas_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}", re.ASCII)
USE_RESOLUTION: Final = 60  # seconds: `last_used_at` is not written more often
NO_DIGEST: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; times are Unix seconds."""

    id: str
    name: str
    digest: str = field(repr=False)
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None

    def is_live(self, now: float) -> bool:
        """Tell whether the token opens doors."""
        expired = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not expired


class Tokens:
    """The tokens of one database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str, lifetime: int | None = None) -> tuple[Token, str]:
        """Return a new token and its text, which nobody can see again; `lifetime` in seconds."""
        if not NAME.fullmatch(name):
            raise InvalidError(
                f"cannot create token {name[:64]!r}: a name is 1 to 63 letters, digits, dots,"
                " hyphens, underscores and @, and begins with a letter or digit"
            )
        identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        now = int(self._clock())
        expires_at = None if lifetime is None else now + lifetime
        try:
            self._database.run(
                "INSERT INTO tokens (id, name, digest, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?)",
                *(identity, name, _digest(secret), now, expires_at),
            )
        except sqlite3.IntegrityError as error:
            raise RequestError(
                f'cannot create token "{name}": there is one of that name: revoke it first'
                f" (`opmas token revoke {name}`) or take another name"
            ) from error
        token = Token(identity, name, _digest(secret), now, expires_at, None, None)
        return token, f"opmas_{identity}_{secret}"

    def all(self) -> list[Token]:
        """Return every token that was not revoked, by name."""
        rows = self._database.run("SELECT * FROM tokens WHERE revoked_at IS NULL ORDER BY name")
        return [Token(**row) for row in rows]

    def revoke(self, which: str) -> Token:
        """Close the token of that name or id at once, and return it."""
        rows = self._database.run(
            "UPDATE tokens SET revoked_at = ?"
            " WHERE (name = ? OR id = ?) AND revoked_at IS NULL RETURNING *",
            *(int(self._clock()), which, which),
        )
        if not rows:
            raise RequestError(
                f'cannot revoke token "{which[:64]}": there is none of that name or id:'
                " `opmas token list` shows them"
            )
        return Token(**rows[0])

    def find(self, text: str) -> Token | None:
        """Return the live token of that text."""
        parts = TOKEN.fullmatch(text)
        if parts is None:
            return None
        rows = self._database.run("SELECT * FROM tokens WHERE id = ?", parts[1])
        stored = rows[0]["digest"] if rows else NO_DIGEST
        # Compared in any case, and in constant time: an id that exists takes no longer.
        if not hmac.compare_digest(stored, _digest(parts[2])) or not rows:
            return None
        token = Token(**rows[0])
        return token if token.is_live(self._clock()) else None

    def is_live(self, token: Token) -> bool:
        """Tell whether a token that was found before is still live."""
        rows = self._database.run("SELECT * FROM tokens WHERE id = ?", token.id)
        return bool(rows) and Token(**rows[0]).is_live(self._clock())

    def mark_used(self, token: Token) -> None:
        """Write that the token was used now, unless that was written a moment ago."""
        now = int(self._clock())
        if token.last_used_at is None or token.last_used_at <= now - USE_RESOLUTION:
            self._database.run("UPDATE tokens SET last_used_at = ? WHERE id = ?", *(now, token.id))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
