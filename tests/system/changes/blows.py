"""Kills of the manager at a chosen step of a change, done by `killer.py` on the host."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from tests.lab import Host

SCRIPT: Final = Path(__file__).with_name("killer.py")
ANSWERED: Final = 30.0  # seconds


class Killer:
    """Follows the journal of all changes while it is entered.

    A step is told as "TASK STATE", as in "snapshot doing", or as the state of the change.
    """

    def __init__(self, host: Host) -> None:
        self.kills = 0
        self._hit: set[str] = set()
        self._host = host
        self._steps: dict[str, list[str]] = {}
        self._answered: dict[str, threading.Event] = {}
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        self._host.copy_in(SCRIPT, "/opt/killer.py")
        self._process = self._host.popen("python3", "/opt/killer.py")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process:  # its end closes the pipes
            self._process.kill()
            self._reader.join(10)

    def aim(self, subject: str, step: str) -> None:
        """Kill the manager when the subject is at that step; at none, when it is empty."""
        self._order(subject, "")
        self._steps[subject] = []
        self._hit.discard(subject)
        self._order(subject, step)

    def seen(self, subject: str) -> tuple[list[str], bool]:
        """Return the steps of the subject since it was aimed at, and whether there was a kill."""
        self._order(subject, "")
        return self._steps[subject], subject in self._hit

    def _order(self, subject: str, step: str) -> None:
        answered = self._answered[subject] = threading.Event()
        with self._asking:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"aim": step, "subject": subject}) + "\n")
            self._process.stdin.flush()
            assert answered.wait(ANSWERED), "the killer answers"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            if "aim" in news:
                self._answered[news["subject"]].set()
                continue
            self._steps.setdefault(news["subject"], []).append(news["step"])
            if news["hit"]:
                self.kills += 1
                self._hit.add(news["subject"])
