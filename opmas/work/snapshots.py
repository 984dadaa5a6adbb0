"""An agent's state directory put aside, and brought back: snapshot, restore, discard.

STATE/snapshots/SNAPSHOT/AGENT/snapshot.json    when, and how much
STATE/snapshots/SNAPSHOT/AGENT/tree/            the copy; absent when the agent had no directory

One snapshot can hold several agents: those of one change.

Where an agent's directory is depends on its unit (systemd.exec(5), StateDirectory=): with
DynamicUser=yes, as in the template, in /var/lib/private, and a link leads to it; with a drop-in
that says DynamicUser=no in /var/lib itself. systemd moves it when that changes.

Both ways the copy is made beside its place and comes there by one rename: a kill leaves the old
state or the new one, and what was half made is cleared by the next run.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import NAME
from opmas.core.documents import fields
from opmas.errors import DiskSpaceError, InvalidError
from opmas.host.files import sync_directory, write_whole
from opmas.work import kernel
from opmas.work.tree import Copier, Size, measure, opened, remove_tree

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.work.task import Paths, Task

SPARE: Final = 64 * 1024 * 1024  # bytes that are left to the others on the file system
INODES_SPARE: Final = 1000
TREE: Final = "tree"
ABOUT: Final = "snapshot.json"

_AGENT: Final = fields.matching(NAME, "must be the name of an agent")
_SNAPSHOT: Final = fields.matching(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"),
    "must be up to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit",
)


def snapshot(task: Task) -> dict[str, Any]:
    """Copy the agent's state directory into the snapshot, anew whenever it is asked for.

    A copy that is there already is of a run that was cut short, before anything was done to the
    data; or of another change that had the same number once, and would be brought back for ours.
    """
    with task.parameters() as given:
        agent = given.need("agent", _AGENT, "x")
        name = given.need("snapshot", _SNAPSHOT, "x")
    folder = task.paths.snapshots / name
    task.paths.snapshots.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_directory(task.paths.snapshots)
    with opened(str(folder)) as inside:
        _take(task, agent, folder, inside)
    return _about(folder, agent)


def restore(task: Task) -> dict[str, Any]:
    """Make the agent's state directory what it was at the snapshot, in one step."""
    with task.parameters() as given:
        agent = given.need("agent", _AGENT, "x")
        name = given.need("snapshot", _SNAPSHOT, "x")
    folder = task.paths.snapshots / name
    about = _about(folder, agent)
    place = _state_directory(task.paths, agent) or _earlier_place(task.paths, about) / agent
    beside = f".{agent}.opmas"  # no agent has such a name
    if not place.parent.is_dir() and about["absent"]:
        return about
    with opened(str(place.parent)) as states:
        remove_tree(beside, states)
        if about["absent"]:
            if place.is_dir():
                os.rename(agent, beside, src_dir_fd=states, dst_dir_fd=states)
        else:
            with opened(str(folder / agent / TREE)) as tree:
                _copy(task, tree, states, beside, "restore")
            _take_place(states, beside, agent)
        os.fsync(states)
        remove_tree(beside, states)
    return about


def discard(task: Task) -> dict[str, Any]:
    """Remove the snapshot; one that is not there is removed already."""
    with task.parameters() as given:
        name = given.need("snapshot", _SNAPSHOT, "x")
    if task.paths.snapshots.is_dir():
        with opened(str(task.paths.snapshots)) as snapshots:
            with suppress(FileNotFoundError):  # half a snapshot must not look like one
                os.rename(name, _half(name), src_dir_fd=snapshots, dst_dir_fd=snapshots)
            remove_tree(_half(name), snapshots)
    return {}


def _take(task: Task, agent: str, folder: Path, within: int) -> None:
    half = _half(agent)
    remove_tree(half, within)
    os.mkdir(half, 0o700, dir_fd=within)
    place = _state_directory(task.paths, agent)
    size = Size()
    if place is not None:
        with opened(str(place)) as state, opened(half, within=within) as inside:
            size = _copy(task, state, inside, TREE, "snapshot")
    about = {
        "agent": agent,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "absent": place is None,
        "private": place is not None and place.parent == task.paths.private_states,
        "bytes": size.bytes,
        "entries": size.entries,
    }
    write_whole(folder / half / ABOUT, json.dumps(about) + "\n", 0o600)
    _take_place(within, half, agent)
    os.fsync(within)
    remove_tree(half, within)  # what was there before


def _copy(task: Task, source: int, within: int, name: str, step: str) -> Size:
    """Copy the open directory to a new one of that name, all of it on the disk at the end."""
    size = measure(source)
    os.mkdir(name, 0o700, dir_fd=within)
    with opened(name, within=within) as target:
        if not _shares(source, target):
            _check_space(target, size)
        copied = Copier(target, lambda done: task.report(step, done, size.bytes)).copy(source)
        task.report("sync")
        kernel.sync_file_system(target)
    return copied


def _shares(source: int, target: int) -> bool:
    """Return whether the target can share blocks with the source, as its first file shows."""
    for name in os.listdir(source):
        if stat.S_ISREG(os.lstat(name, dir_fd=source).st_mode):
            return _shares_file(name, source, target)
    return False


def _shares_file(name: str, source: int, target: int) -> bool:
    probe = ".probe"
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        one = os.open(name, os.O_RDONLY | flags, dir_fd=source)
        try:
            other = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, dir_fd=target)
            try:
                return os.fstat(one).st_size > 0 and kernel.clone(one, other)
            finally:
                os.close(other)
                os.unlink(probe, dir_fd=target)
        finally:
            os.close(one)
    return False


def _check_space(target: int, size: Size) -> None:
    disk = os.fstatvfs(target)
    free = disk.f_bavail * disk.f_frsize
    if free < size.bytes + SPARE:
        raise DiskSpaceError(
            f"cannot copy the state directory: it takes {_mib(size.bytes)} MiB, the disk has "
            f"{_mib(free)} MiB left, of which {_mib(SPARE)} MiB are kept: make room"
        )
    if disk.f_files and disk.f_favail < size.entries + INODES_SPARE:
        raise DiskSpaceError(
            f"cannot copy the state directory: it has {size.entries} entries, the disk has room "
            f"for {disk.f_favail}, of which {INODES_SPARE} are kept: make room"
        )


def _mib(count: int) -> int:
    return -(-count // (1 << 20))


def _take_place(within: int, beside: str, agent: str) -> None:
    try:
        kernel.exchange(within, beside, agent)
    except FileNotFoundError:
        os.rename(beside, agent, src_dir_fd=within, dst_dir_fd=within)


def _state_directory(paths: Paths, agent: str) -> Path | None:
    """Return where the agent's state is; in /var/lib itself a link may stand for it."""
    for path in (paths.agent_states / agent, paths.private_states / agent):
        with suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISDIR(path.lstat().st_mode):
                return path
    return None


def _earlier_place(paths: Paths, about: dict[str, Any]) -> Path:
    return paths.private_states if about["private"] else paths.agent_states


def _about(folder: Path, agent: str) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads((folder / agent / ABOUT).read_bytes())
    except FileNotFoundError as error:
        raise InvalidError(
            f"cannot use the snapshot {folder.name}: it has nothing of agent {agent}"
        ) from error
    return about


def _half(name: str) -> str:
    return f".{name}.half"
