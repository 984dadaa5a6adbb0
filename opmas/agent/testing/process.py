"""The process of an agent under test, started and ended as systemd would."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from opmas.agent.testing.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opmas.agent.testing.notify import NotifySocket
    from opmas.agent.testing.reactor import Reactor
    from opmas.agent.testing.unit import Unit

ABORT_WITHIN: Final = 5.0  # TimeoutAbortSec= of the agents' unit
KILL_WITHIN: Final = 10.0
_CHUNK: Final = 64 * 1024


class Process:
    """One life of the agent; `before_end` takes what else it may have said."""

    def __init__(
        self,
        reactor: Reactor,
        notify: NotifySocket,
        unit: Unit,
        before_end: Callable[[], None],
    ) -> None:
        self.unit = unit
        self.log: list[str] = []
        self.exit_code: int | None = None  # negative: the signal that ended it
        self.barked = False  # the watchdog ended it
        self._reactor = reactor
        self._notify = notify
        self._before_end = before_end
        self._rest = b""

    def start(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start the program, or raise `SetupError`."""
        with self._reactor.lock:  # nothing is heard of it before its ID is known
            try:
                self._process = subprocess.Popen(
                    argv,
                    env=dict(environ),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise SetupError(f"cannot start {argv[0]}: {error.strerror}") from error
            assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
            self._output: IO[bytes] = self._process.stdout
            os.set_blocking(self._output.fileno(), False)
            self._pidfd = os.pidfd_open(self.pid)
            self._notify.main_pid = self.pid
            self._notify.on_line = self._notified
            self._reactor.hear(self._output, self._read)
            self._reactor.hear(self._pidfd, self._ended)
        self._watch()

    @property
    def pid(self) -> int:
        """The ID of its main process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, and all that it said was heard."""
        return self.exit_code is not None

    def signal(self, number: int) -> None:
        """Send it a signal; nothing happens when it has ended."""
        with self._reactor.lock:
            if self.exit_code is None:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and what it started, whatever they do."""
        self.signal(signal.SIGKILL)
        self.wait_end(KILL_WITHIN)

    def wait_end(self, within: float = KILL_WITHIN) -> None:
        """Return when it has ended, or the time is up."""
        until = time.monotonic() + within
        self._reactor.wait(lambda: self.exit_code, lambda: until)

    # hearing; all of this runs under the reactor's lock

    def _notified(self, line: str) -> None:
        self.unit.heard(line, time.monotonic())
        if self.unit.triggered:
            self._look()

    def _watch(self) -> None:
        at = self.unit.barks_at()
        # not only then: an agent that gets ready begins to be watched
        again = time.monotonic() + max(self.unit.watchdog, 0.1) / 4
        if self.unit.watchdog:
            self._reactor.call_at(min(at, again), self._look)

    def _look(self) -> None:
        if self.exit_code is not None or self.barked:
            return
        if self.unit.barks_at() > time.monotonic():
            self._watch()
            return
        self._notify.drain()  # it may have been fed while this thread did something else
        if self.unit.barks_at() > time.monotonic():
            self._watch()
            return
        self.barked = True
        os.kill(self.pid, signal.SIGABRT)
        os.kill(self.pid, signal.SIGCONT)  # as systemd does: a frozen process is to end as well
        self._reactor.call_at(time.monotonic() + ABORT_WITHIN, self._end)

    def _end(self) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self._reactor.forget(self._pidfd)
        # what it started ends with it; while nobody waited for the leader, its number is its own
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        os.close(self._pidfd)
        self._notify.drain()
        self._read()
        self._close()
        self._before_end()
        self.exit_code = code

    def _read(self) -> None:
        while not self._output.closed:
            try:
                chunk = os.read(self._output.fileno(), _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                self._close()
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self.log += [line.decode(errors="replace") for line in lines]

    def _close(self) -> None:
        if self._output.closed:
            return
        self._reactor.forget(self._output)
        self._output.close()
        if self._rest:
            self.log.append(self._rest.decode(errors="replace"))
            self._rest = b""
