"""A terminal for a command: what a person would see, and answers typed into it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEADLINE = 20.0  # seconds


def run_on_terminal(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    columns: int = 80,
    answers: Sequence[tuple[str, str]] = (),
) -> tuple[int, str]:
    """Return the exit code and all that the terminal showed.

    `answers` are pairs of what is asked, in this order, and what is typed then.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        argv, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = _watch(ours, answers)
        os.close(ours)
        return process.wait(DEADLINE), shown.replace("\r\n", "\n")


def _watch(ours: int, answers: Sequence[tuple[str, str]]) -> str:
    shown = b""
    waiting = list(answers)
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], deadline - time.monotonic())[0]:
            break
        try:
            part = os.read(ours, 65536)
        except OSError:  # EIO: the command has ended
            break
        shown += part
        if waiting and waiting[0][0].encode() in shown:
            os.write(ours, waiting.pop(0)[1].encode())
    return shown.decode()
