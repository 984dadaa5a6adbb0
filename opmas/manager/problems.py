"""What is wrong with OPMAS itself on this host, said plainly until it is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class Problems:
    """The present problems by their code; `announce(type, data)` hears of each change."""

    def __init__(self, announce: Callable[[str, dict[str, str]], None]) -> None:
        self._announce = announce
        self._present: dict[str, str] = {}

    def report(self, code: str, message: str) -> None:
        """Say that there is a problem; the same again is not news."""
        if self._present.get(code) == message:
            return
        known = code in self._present
        self._present[code] = message
        logger.warning("%s: %s", code, message)
        if not known:
            self._announce("opmas.manager.problem", {"code": code, "message": message})

    def clear(self, code: str) -> None:
        """Say that a problem is over, if it was there."""
        message = self._present.pop(code, None)
        if message is not None:
            logger.info("%s: over", code)
            self._announce("opmas.manager.recovered", {"code": code, "message": message})

    def present(self) -> list[dict[str, str]]:
        """Return the present problems."""
        return [{"code": c, "message": m} for c, m in sorted(self._present.items())]
