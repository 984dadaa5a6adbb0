"""What every handler works with, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opmas.api.database import Database
    from opmas.api.feed import Feed
    from opmas.api.manager import Manager
    from opmas.api.places import Places
    from opmas.api.retention import Retention
    from opmas.api.tokens import Tokens
    from opmas.api.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Api:
    """The way to the manager, the tokens, who waits for events, and what was uploaded."""

    manager: Manager
    database: Database
    tokens: Tokens
    feed: Feed
    places: Places
    uploads: Uploads
    retention: Retention

    def close(self) -> None:
        """End what waits; requests that are being answered go on."""
        self.feed.close()
        self.retention.close()
