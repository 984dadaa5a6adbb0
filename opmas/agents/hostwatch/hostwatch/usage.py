"""How full file systems are, asked in a thread that may be lost.

statvfs(2) on a file server that is gone blocks for ever, and nothing can interrupt it. So one
thread asks for all; when it makes no progress for `timeout` seconds it is left behind with the
file system it hangs on, which counts as stalled until that thread comes back, and a new thread
asks for the rest. `MOST_STUCK` bounds the threads; what is beyond it is not asked at all.
"""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .mounts import Filesystem

# With the threads of the SDK this stays well below the package's limit of 16 tasks.
MOST_STUCK = 6

# Those that depend on others are asked last, so that all local ones are always asked.
REMOTE_TYPES = ("9p", "afs", "ceph", "cifs", "fuse", "gfs", "glusterfs", "lustre", "nfs", "smb")


class Usage(NamedTuple):
    """Sizes in bytes; `available` is what users other than root can still write."""

    size: int
    free: int
    available: int
    files: int
    files_free: int

    @property
    def used_share(self) -> float | None:
        """How full it is for users, 0 to 1, as df(1) counts; None when it has no size."""
        used = self.size - self.free
        return used / (used + self.available) if used + self.available > 0 else None

    @property
    def files_used_share(self) -> float | None:
        """How many of its inodes are taken, 0 to 1; None where inodes are not counted (btrfs)."""
        return (self.files - self.files_free) / self.files if self.files > 0 else None


class Stalled(NamedTuple):
    """It did not answer in time, or with an error such as EIO or ESTALE."""

    reason: str = "no answer in time"


class Unreachable(NamedTuple):
    """No path leads to it: covered by another mount, or below a directory closed to the agent."""


Answer = Usage | Stalled | Unreachable


class UsageReader:
    """Asks file systems how full they are, and is never held up by one that hangs."""

    def __init__(self, ask: Callable[[Filesystem], Answer] | None = None) -> None:
        self._ask_one = ask or ask_usage
        self._stuck: dict[str, _Batch] = {}
        self._worker: _Worker | None = None

    def read(self, filesystems: list[Filesystem], timeout: float) -> dict[str, Answer]:
        """Return an answer by device; waits `timeout` for each file system at most.

        There is none for those that were not asked, as too many hang already.
        """
        self._stuck = {device: batch for device, batch in self._stuck.items() if batch.hangs}
        answers: dict[str, Answer] = {device: Stalled() for device in self._stuck}
        queue = [fs for fs in filesystems if fs.device not in self._stuck]
        queue.sort(key=lambda fs: fs.fs_type.startswith(REMOTE_TYPES))
        while queue and len(self._stuck) < MOST_STUCK:
            batch = self._ask(queue, timeout)
            answers.update(batch.answers)
            queue = queue[len(batch.answers) :]
            if queue:
                hanging = queue.pop(0).device
                self._stuck[hanging] = batch
                answers[hanging] = Stalled()
        return answers

    def close(self) -> None:
        """Let the idle thread end; those that hang end with the process."""
        if self._worker:
            self._worker.hand(None)
            self._worker = None

    def _ask(self, filesystems: list[Filesystem], timeout: float) -> _Batch:
        worker = self._worker or _Worker()
        batch = _Batch(filesystems, self._ask_one)
        worker.hand(batch)
        done = 0
        while not batch.finished.wait(timeout) and len(batch.answers) > done:
            done = len(batch.answers)
        if batch.close():
            self._worker = None  # it hangs; it ends by itself should it ever come back
        else:
            self._worker = worker
        return batch


class _Batch:
    """File systems to ask one after another; `answers` are those of the first ones, in order."""

    def __init__(self, filesystems: list[Filesystem], ask: Callable[[Filesystem], Answer]) -> None:
        self.answers: dict[str, Answer] = {}
        self.finished = threading.Event()
        self._filesystems = filesystems
        self._ask = ask
        self._lock = threading.Lock()
        self._abandoned = False

    @property
    def hangs(self) -> bool:
        return not self.finished.is_set()

    def work(self) -> bool:
        """Ask until all is asked, or nobody waits any more; False when nobody does."""
        for fs in self._filesystems:
            answer = self._ask(fs)
            with self._lock:
                if self._abandoned:
                    break
                self.answers[fs.device] = answer
        self.finished.set()
        return not self._abandoned

    def close(self) -> bool:
        """Take no more answers; True when some are missing."""
        with self._lock:
            self._abandoned = len(self.answers) < len(self._filesystems)
            return self._abandoned


class _Worker:
    def __init__(self) -> None:
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self.hand = self._batches.put
        threading.Thread(target=self._work, name="statvfs", daemon=True).start()

    def _work(self) -> None:
        while (batch := self._batches.get()) and batch.work():
            pass


def ask_usage(fs: Filesystem) -> Answer:
    """Ask one file system how full it is; blocks for as long as the file system does."""
    reason = ""
    for path in fs.paths:
        try:
            usage = _ask_path(path, fs.mount_ids)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except OSError as error:
            reason = f"{path}: {error.strerror}"
            continue
        if usage:
            return usage
    return Stalled(reason) if reason else Unreachable()


def _ask_path(path: str, mount_ids: frozenset[int]) -> Usage | None:
    # O_PATH needs no permission on the directory itself, and triggers no automount.
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if _mount_id(fd) not in mount_ids:
            return None
        stat = os.fstatvfs(fd)
    finally:
        os.close(fd)
    return Usage(
        size=stat.f_blocks * stat.f_frsize,
        free=stat.f_bfree * stat.f_frsize,
        available=stat.f_bavail * stat.f_frsize,
        files=stat.f_files,
        files_free=stat.f_ffree,
    )


def _mount_id(fd: int) -> int:
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(info, 512)
    finally:
        os.close(info)
    return int(text.partition(b"mnt_id:")[2].split(None, 1)[0])
