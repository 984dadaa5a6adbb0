"""What the manager says of itself and its host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.manager.clock import Clock, rfc3339
from opmas.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.manager.problems import Problems

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class HostStatus:
    """The manager's own state; the connection to systemd is set as it changes."""

    def __init__(self, host: str, problems: Problems, clock: Clock) -> None:
        self.host = host
        self.systemd_version = "unknown"
        self.systemd_connection = "down"
        self.systemd_answers: Callable[[], float | None] = lambda: None
        self.boot_id = BOOT_ID.read_text(encoding="ascii").strip()
        self._problems = problems
        self._started_at = rfc3339(clock.utc())

    def document(self) -> dict[str, Any]:
        """Return the manager's part of `host.status`."""
        present = self._problems.present()
        return {
            "version": VERSION,
            "host": self.host,
            "started_at": self._started_at,
            "boot_id": self.boot_id,
            "state": "degraded" if present else "ok",
            "problems": present,
            "systemd": self._systemd(),
            "memory_bytes": _resident(),
        }

    def _systemd(self) -> dict[str, Any]:
        seconds = self.systemd_answers()
        return {
            "version": self.systemd_version,
            "connection": self.systemd_connection,
            "answer_seconds": None if seconds is None else round(seconds, 4),
        }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
