"""One change as server-sent events: `id` is its serial, `data` the change, until it has ended."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from opmas.api.stream import KEEP_ALIVE, RETRY_MS, TICK
from opmas.core.change.change import FINAL
from opmas.errors import BackendError, UnknownChangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from opmas.api.manager import Manager


class Progress:
    """Yields the text of one client's stream until the change, the client or the process ends."""

    def __init__(
        self,
        manager: Manager,
        is_wanted: Callable[[], bool],
        is_closed: Callable[[], bool],
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self._manager = manager
        self._is_wanted = is_wanted
        self._is_closed = is_closed
        self._keep_alive = keep_alive

    def run(self, view: dict[str, Any], seen: int | None) -> Generator[bytes]:
        """Yield the change as it is, unless that was seen, and each time that it is another."""
        yield f"retry: {RETRY_MS}\n\n".encode()
        if view["serial"] != seen:
            yield _frame(view)
        written_at = time.monotonic()
        while view["state"] not in FINAL and self._is_wanted() and not self._is_closed():
            try:
                later = self._later(view)
            except UnknownChangeError:  # the manager lost its database: there is no more to tell
                return
            if later["serial"] != view["serial"]:
                yield _frame(later)
                written_at = time.monotonic()
            elif time.monotonic() - written_at >= self._keep_alive:
                yield b": keep-alive\n\n"
                written_at = time.monotonic()
            view = later

    def _later(self, view: dict[str, Any]) -> dict[str, Any]:
        """Return the change when it is another, or the same after a tick."""
        try:
            return self._manager.call("change.show", id=view["id"], seen=view["serial"], wait=TICK)
        except BackendError:
            time.sleep(TICK)  # the manager is away, and goes on with the change when it is back
            return view


def _frame(view: dict[str, Any]) -> bytes:
    document = json.dumps(view, separators=(",", ":"))  # it escapes every line break
    return f"id: {view['serial']}\nevent: change\ndata: {document}\n\n".encode()
