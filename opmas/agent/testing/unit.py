"""What systemd would know of an agent from what it notifies: pure, told the time."""

from __future__ import annotations

from typing import Final

NEVER: Final = float("inf")


class Unit:
    """The unit of one agent in one life: its state, its status text and its deadlines."""

    def __init__(self, *, notifies: bool, watchdog: float, start: float, now: float) -> None:
        self.state = "activating" if notifies else "active"
        self.status = ""
        self.fed = 0  # how often the watchdog was fed
        self.ready = 0  # how often it was ready: at its start and after each reload
        self.triggered = False  # it asked for its watchdog to act
        self.watchdog = watchdog  # seconds; 0 is off
        self.start_by = now + start
        self.stop_by = NEVER
        self._fed_at = now

    def stopping(self, now: float, timeout: float) -> None:
        """Note that it was asked to stop."""
        self.state = "deactivating"
        self.stop_by = now + timeout

    def heard(self, line: str, now: float) -> None:
        """Take one line of its notifications."""
        match line.split("=", 1):
            case ["READY", "1"]:
                self._is_ready(now)
            case ["RELOADING", "1"] if self.state == "active":
                self.state = "reloading"
            case ["STOPPING", "1"]:
                self.state = "deactivating"
            case ["STATUS", text]:
                self.status = text
            case ["WATCHDOG", "1"]:
                self.fed += 1
                self._fed_at = now
            case [key, value]:
                self._asked(key, value, now)
            case _:
                pass

    def barks_at(self) -> float:
        """Return when the watchdog acts, unless it is fed before."""
        if self.triggered:
            return 0.0
        on = self.watchdog and self.state in {"active", "reloading"}
        return self._fed_at + self.watchdog if on else NEVER

    def _is_ready(self, now: float) -> None:
        if self.state in {"activating", "reloading"}:
            self.state = "active"
        self.ready += 1
        self._fed_at = now

    def _asked(self, key: str, value: str, now: float) -> None:
        if key == "WATCHDOG" and value == "trigger":
            self.triggered = True
        elif key == "WATCHDOG_USEC" and value.isdecimal():
            self.watchdog = int(value) / 1e6
        elif key == "EXTEND_TIMEOUT_USEC" and value.isdecimal():
            self._extend(now + int(value) / 1e6)

    def _extend(self, until: float) -> None:
        if self.state == "activating":
            self.start_by = max(self.start_by, until)
        elif self.stop_by != NEVER:
            self.stop_by = max(self.stop_by, until)
