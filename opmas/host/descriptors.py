"""How many file descriptors processes have open, as far as root without capabilities may know.

Since Linux 6.2 the size of /proc/PID/fd is their number, for everybody. Before, only who may trace
the process can count them: the size of its table (FDSize in /proc/PID/status, proc(5)) is then
an upper bound, which grows in powers of two and never shrinks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from opmas.core.resources.usage import Descriptors

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_PROCESSES: Final = 64  # are looked at; an agent of more is in trouble of another kind
READ_MAX: Final = 4096


def count(pids: Iterable[bytes], proc: str = "/proc") -> Descriptors | None:
    """Return what the processes have open, or None when none of them tells."""
    found = []
    for pid in list(pids)[:MOST_PROCESSES]:
        place = f"{proc}/{pid.decode('ascii', 'replace')}"
        one = _open_files(place)
        if one is not None:
            found.append((*one, place))
    if not found:
        return None
    fullest, _, place = max(found)
    exact = all(each[1] for each in found)
    return Descriptors(sum(each[0] for each in found), exact, fullest, _limit(place))


def _open_files(place: str) -> tuple[int, bool] | None:
    """Return how many, and whether that is exact."""
    try:
        size = os.stat(f"{place}/fd").st_size  # noqa: PTH116 -- no Path for each process
        if size:
            return size, True
        for line in _read(f"{place}/status").splitlines():
            if line.startswith(b"FDSize:"):
                return int(line.split()[1]), False
    except (OSError, ValueError, IndexError):
        return None
    return None


def _limit(place: str) -> int | None:
    """Return the soft limit of open files: `Max open files  1024  524288  files`."""
    try:
        for line in _read(f"{place}/limits").splitlines():
            if line.startswith(b"Max open files"):
                return int(line.split()[3])
    except (OSError, ValueError, IndexError):
        return None
    return None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, READ_MAX)
    finally:
        os.close(descriptor)
