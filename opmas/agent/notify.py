"""What systemd is told of the agent (sd_notify(3)): the only file that knows sdnotify.

sdnotify encodes latin-1, and one character outside it loses the whole datagram, so everything is
ASCII before it gets there; it swallows errors unless told not to; its socket blocks, so it gets a
time limit: a PID 1 that is busy must not hang the agent.
"""

from __future__ import annotations

import os
import time

import sdnotify

STATUS_LENGTH = 200
SEND_TIMEOUT = 1.0
# A change of STATUS= costs PID 1 and every listener on the bus about 0.5 ms.
STATUS_EVERY = 5.0
WORDING_EVERY = 60.0  # the same state in other words can wait

NEVER = float("inf")


class Notifier:
    """Sends to the service manager; without one, every message goes nowhere."""

    def __init__(self) -> None:
        self._notifier = None
        if not os.environ.get("NOTIFY_SOCKET"):
            return
        try:
            self._notifier = sdnotify.SystemdNotifier(debug=True)
            self._notifier.socket.settimeout(SEND_TIMEOUT)
        except OSError:
            self._notifier = None

    def send(self, *lines: str) -> bool:
        """Send the lines as one message; return whether systemd has it."""
        if self._notifier is None:
            return False
        try:
            self._notifier.notify("\n".join(lines))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the socket back."""
        if self._notifier is not None:
            self._notifier.socket.close()
            self._notifier = None

    def ready(self, status: str) -> None:
        """Say that the agent is up, or that it has taken a new configuration."""
        self.send("READY=1", f"STATUS={status_text(status)}")

    def reloading(self) -> None:
        """Say that a new configuration is being taken; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str) -> None:
        """Say that the agent is on its way out."""
        self.send("STOPPING=1", f"STATUS={status_text(status)}")

    def status(self, text: str) -> None:
        """Say in a short line how it is: rarely, see `StatusLine`."""
        self.send(f"STATUS={status_text(text)}")

    def extend(self, seconds: float) -> None:
        """Ask for so much more time from now on, while starting or stopping."""
        self.send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> bool:
        """Feed the watchdog."""
        return self.send("WATCHDOG=1")

    def stalled(self, status: str) -> None:
        """Have the watchdog act now: the loop turns, but the work stands still."""
        self.send("WATCHDOG=trigger", f"STATUS={status_text(status)}")


class StatusLine:
    """Decides when a new STATUS= is worth its price: pure, told the time."""

    __slots__ = ("_sent_at", "_sent_state", "_sent_text", "_state", "_text")

    def __init__(self) -> None:
        self._text = self._sent_text = ""
        self._state = self._sent_state = ""
        self._sent_at = float("-inf")

    def want(self, state: str, text: str) -> None:
        """Note the text to show; `state` is the one word that says what it is about."""
        self._state, self._text = state, text

    def sent(self, now: float) -> str:
        """Return the wanted text and note that it was sent."""
        self._sent_at, self._sent_state, self._sent_text = now, self._state, self._text
        return self._text

    def next_at(self) -> float:
        """Return when a message is due, or never when the last one still holds."""
        if self._text == self._sent_text:
            return NEVER
        pause = WORDING_EVERY if self._state == self._sent_state else STATUS_EVERY
        return self._sent_at + pause


def status_text(text: str) -> str:
    """Return the text as one short line of printable ASCII."""
    line = " ".join(text.split())
    line = "".join(c if " " <= c <= "~" else "?" for c in line)
    return line if len(line) <= STATUS_LENGTH else line[: STATUS_LENGTH - 3] + "..."
