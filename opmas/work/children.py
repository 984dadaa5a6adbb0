"""Programs that a job runs: apt, dpkg, systemd-analyze; with limits, and without questions."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opmas.errors import BackendError
from opmas.work.patience import APART, go_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT: Final = {
    "PATH": PATH,
    "LC_ALL": "C.UTF-8",  # what is read below is not translated
    "HOME": "/root",
    # Nobody answers: debconf takes its defaults, and what else could ask is told not to.
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
    "NEEDRESTART_MODE": "l",
}
ASK_LIMIT: Final = 60.0  # seconds for what answers at once
LOG_SIZE: Final = 1 << 20  # bytes of output that are kept
TAIL: Final = 30  # lines
LINE_LENGTH: Final = 400
KILL_DELAY: Final = 10.0  # seconds from SIGTERM to SIGKILL


@dataclass(slots=True)
class Log:
    """The output of a job's programs: the first of it in a file, its last lines at hand."""

    path: Path
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    _rest: bytes = b""

    def write(self, chunk: bytes) -> None:
        """Keep the output; what goes beyond the file's bound is only seen in the last lines."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-LINE_LENGTH:]
        self.tail.extend(_line(line) for line in lines if line.strip())
        with contextlib.suppress(OSError), self.path.open("ab") as file:
            file.write(chunk[: max(0, LOG_SIZE - file.tell())])

    def title(self, argv: Sequence[str]) -> None:
        """Begin with a program: its last lines are those that count from here on."""
        self.tail.clear()
        self._rest = b""
        self.write(f"$ {' '.join(argv)}\n".encode())
        self.tail.clear()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program wrote, and how it ended."""

    code: int
    stdout: str
    stderr: str


def ask(
    *argv: str,
    limit: float = ASK_LIMIT,
    given: str = "",
    extra: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Answer:
    """Run a program that answers at once; `BackendError` when it cannot be run, or does not.

    `given` is what it reads, `extra` is added to its environment.
    """
    try:
        done = subprocess.run(
            argv,
            env={**ENVIRONMENT, **(extra or {})},
            input=given.encode(),
            capture_output=True,
            cwd=cwd,
            timeout=limit,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"cannot run {argv[0]}: {error}") from error
    return Answer(
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )


class Child:
    """A program that changes the host: its output goes to the log, its status to a function.

    It ends with its own process: a daemon that it leaves behind may hold the pipes open. It is
    the head of a session, so that after the limit all of it can be ended, with the scripts that
    it runs.
    """

    def __init__(self, argv: Sequence[str], log: Log, extra: Mapping[str, str]) -> None:
        self._argv = argv
        self._log = log
        self._extra = extra

    def run(self, limit: float, status: Callable[[str], None], option: str) -> int:
        """Run it, and return its exit code; `BackendError` when it had to be ended.

        `option` is how the program is told the descriptor to write its status to.
        """
        told, tells = os.pipe()
        argv = [self._argv[0], option.format(tells), *self._argv[1:]]
        self._log.title(argv)
        try:
            process = subprocess.Popen(
                argv,
                env={**ENVIRONMENT, **self._extra},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[tells],
                start_new_session=True,
            )
        except OSError as error:
            os.close(told)
            raise BackendError(
                f"cannot run {argv[0]}: {(error.strerror or '').lower()}"
            ) from error
        finally:
            os.close(tells)
        try:
            return self._attend(process, told, limit, status)
        finally:
            os.close(told)
            if process.stdout:
                process.stdout.close()

    def _attend(
        self,
        process: subprocess.Popen[bytes],
        told: int,
        limit: float,
        status: Callable[[str], None],
    ) -> int:
        assert process.stdout is not None  # noqa: S101 -- for the type checker: it is a pipe
        ended = os.pidfd_open(process.pid)
        lines = _Lines(status)
        readers: dict[int, Callable[[bytes], None]] = {
            process.stdout.fileno(): self._log.write,
            told: lines.feed,
        }
        try:
            in_time = _read_until(ended, readers, time.monotonic() + limit)
            if not in_time:
                self._end(process)
            for descriptor, feed in readers.items():
                _drain(descriptor, feed)
        finally:
            os.close(ended)
        code = process.wait()
        if not in_time:
            raise BackendError(
                f"cannot finish {self._argv[0]}: it was ended after {limit:g} s",
                tuple(self._log.tail),
            )
        return code

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_DELAY)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class _Lines:
    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-LINE_LENGTH:]
        for line in lines:
            self._take(_line(line))


def _read_until(ended: int, readers: dict[int, Callable[[bytes], None]], deadline: float) -> bool:
    """Read what comes until the process ended; whether that was before the deadline."""
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        for descriptor in readers:
            selector.register(descriptor, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ready = {key.fd for key, _ in selector.select(min(left, APART))}
            go_on()  # it may say nothing for long: it has a limit of its own
            for descriptor in ready - {ended}:
                chunk = os.read(descriptor, 1 << 16)
                readers[descriptor](chunk)
                if not chunk:
                    selector.unregister(descriptor)
            if ended in ready:
                return True
    return False


def _drain(descriptor: int, feed: Callable[[bytes], None]) -> None:
    """Read what is in the pipe at this moment, and not what a daemon may write later."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                break
            feed(chunk)


def _line(line: bytes) -> str:
    text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
    return "".join(c if c.isprintable() else " " for c in text)[:LINE_LENGTH].rstrip()
