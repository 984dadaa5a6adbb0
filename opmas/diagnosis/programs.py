"""Programs of the host, run with a deadline and a bound on what they may say."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRON: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
    "TZ": "UTC",
}
CHUNK: Final = 64 * 1024  # bytes


class Answer(NamedTuple):
    """What a program said: whole lines, and what is wrong with that, if anything."""

    text: str
    problem: str = ""


def ask(argv: Sequence[str], until: float, limit: int) -> Answer:
    """Return what the program prints until then, at most `limit` bytes of it; never raises."""
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRON,
            start_new_session=True,
        )
    except OSError as error:
        return Answer("", f"{argv[0]}: {(error.strerror or str(error)).lower()}")
    with process:
        said, complaint, ended = _read(process, until, limit)
        if not ended:
            _kill(process)
    text = said.decode(errors="backslashreplace")
    if ended and process.returncode == 0:
        return Answer(text)
    whole = text[: text.rfind("\n") + 1]  # the rest of a line could be half of a secret
    if not ended:
        full = len(said) >= limit
        reason = f"more than {limit // 1024} KiB" if full else "it did not end in time"
        return Answer(whole, f"{argv[0]}: {reason}: the rest is left out")
    lines = complaint.decode(errors="backslashreplace").strip().splitlines()
    return Answer(whole, f"{argv[0]}: {lines[0] if lines else f'status {process.returncode}'}")


def _read(process: subprocess.Popen[bytes], until: float, limit: int) -> tuple[bytes, bytes, bool]:
    """Return both streams and whether the program ended."""
    said: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    with selectors.DefaultSelector() as selector:
        for name, stream in (("out", process.stdout), ("err", process.stderr)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, said[name])
        while selector.get_map() and len(said["out"]) < limit:
            left = until - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            for key, _ in ready:
                _take(selector, key)
            if not ready:
                break
        ended = not selector.get_map()
    return bytes(said["out"]), bytes(said["err"]), ended and _has_ended(process, until)


def _take(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    piece = os.read(key.fd, CHUNK)
    if piece:
        key.data.extend(piece)
    else:
        selector.unregister(key.fileobj)


def _has_ended(process: subprocess.Popen[bytes], until: float) -> bool:
    try:
        process.wait(max(0.05, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
