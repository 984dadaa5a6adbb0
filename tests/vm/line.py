"""The line to the agent in a virtual machine (guest/agent.py): commands in, outcomes out."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import subprocess
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

GREETING: Final = 0  # the number under which the agent says that it is there
ANSWERED: Final = 20.0  # seconds that the guest may take beyond the command's own time


class PowerLostError(Exception):
    """The machine went off before it answered."""


class Line:
    """Asks the agent in the guest; a thread of its own reads what it says."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rwb", buffering=0)
        connection.close()
        self._numbers = itertools.count(1)
        self._writing = threading.Lock()
        self._asked: dict[int, tuple[Future[dict[str, Any]], Callable[[str], None] | None]] = {}
        self._boots: list[str] = []
        self._greeted = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Wait until all that was said is read; only once the machine is off."""
        self._reader.join(ANSWERED)
        self._file.close()

    def ask(
        self,
        *argv: str,
        input: bytes = b"",  # noqa: A002  # as subprocess.run has it
        timeout: float,
        follow: Callable[[str], None] | None = None,
    ) -> Future[dict[str, Any]]:
        """Have a command begun; `follow` gets each line of its output, in the reader's thread."""
        number = next(self._numbers)
        answer: Future[dict[str, Any]] = Future()
        self._asked[number] = (answer, follow)
        request = {
            "id": number,
            "argv": argv,
            "input": base64.b64encode(input).decode(),
            "timeout": timeout,
            "follow": follow is not None,
        }
        self._send(json.dumps(request).encode() + b"\n", answer)
        return answer

    def run(
        self,
        *argv: str,
        input: bytes = b"",  # noqa: A002  # as subprocess.run has it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `PowerLostError` when the machine goes off meanwhile."""
        found = self.ask(*argv, input=input, timeout=timeout).result(timeout + ANSWERED)
        return subprocess.CompletedProcess(argv, found["code"], found["out"], found["err"])

    def wait_greeting(self, count: int, timeout: float) -> str:
        """Wait until the agent came up so often, and return the ID of the last boot."""
        with self._greeted:
            if not self._greeted.wait_for(lambda: len(self._boots) >= count, timeout):
                raise TimeoutError(f"the guest is not there within {timeout:g} s")
            return self._boots[-1]

    @property
    def greetings(self) -> int:
        return len(self._boots)

    def _send(self, data: bytes, answer: Future[dict[str, Any]]) -> None:
        try:
            with self._writing:
                while data:
                    data = data[self._file.write(data) or 0 :]
        except OSError:
            _fail(answer)

    def _read(self) -> None:
        waiting = b""
        while chunk := self._chunk():
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                with contextlib.suppress(json.JSONDecodeError):  # what a reboot cut off
                    self._take(json.loads(line))
        self._fail_all()

    def _chunk(self) -> bytes:
        try:
            return self._file.read(1 << 16) or b""
        except OSError:  # the emulator was killed with something unread
            return b""

    def _take(self, news: dict[str, Any]) -> None:
        if news["id"] == GREETING:
            self._fail_all()
            with self._greeted:
                self._boots.append(news["boot"])
                self._greeted.notify_all()
            return
        answer, follow = self._asked[news["id"]]
        if "line" in news:
            if follow is not None:
                follow(news["line"])
        elif not answer.done():
            answer.set_result(news)

    def _fail_all(self) -> None:
        for answer, _ in list(self._asked.values()):
            _fail(answer)


def _fail(answer: Future[dict[str, Any]]) -> None:
    if not answer.done():
        answer.set_exception(PowerLostError("the machine is off"))
