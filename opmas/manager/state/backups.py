"""Backups of the database: STATE/backups/manager-YYYYMMDDTHHMMSSZ.db, each sound when it was made.

All of this takes its time and is done beside the loop, or before it begins.
"""

from __future__ import annotations

import logging
import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from opmas.errors import DamagedError, StoreError
from opmas.host.files import sync_directory
from opmas.host.space import read_space
from opmas.store.check import find_damage, read_contents
from opmas.store.copying import copy
from opmas.store.faults import FullError, translated
from opmas.store.migrations import newest_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)

FORM: Final = "manager-%Y%m%dT%H%M%SZ.db"
MARGIN: Final = 64 * 1024**2  # bytes that a backup leaves free: more than `Reserve` needs


class Backups:
    """The backups of one database, in a directory of their own."""

    def __init__(self, source: Path, folder: Path) -> None:
        self._source = source
        self.folder = folder

    def is_due(self, now: datetime, interval: float) -> bool:
        """Return whether there is none of the last `interval` seconds, by their names.

        One of the future is of a clock that was wrong, and counts as little as an old one.
        """
        apart = timedelta(seconds=interval)
        return all(abs(now - made_at(path)) >= apart for path in self._all())

    def make(self, now: datetime, keep: int, stopped: Callable[[], bool] = lambda: False) -> Path:
        """Make one, and delete the oldest of more than `keep`. Raises `StoreError`.

        `DamagedError` says that the copy is not sound: then neither is the database.
        """
        with translated("save", "a backup"):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            for left in self.folder.glob(".manager-*"):  # of a manager that was killed
                left.unlink()
            self._make_room()
        path = self.folder / f"{now.astimezone(UTC):{FORM}}"
        beside = path.with_name(f".{path.name}.new")
        try:
            copy(self._source, beside, stopped)
            with translated("save", "a backup"):
                _sync(beside)
                beside.rename(path)
                sync_directory(self.folder)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        self.thin_out(keep)
        return path

    def newest_first(self) -> list[Path]:
        """Return those that can be read: by the number that their log ends with, not by clocks."""
        found = []
        for path in self._all():
            try:
                contents = read_contents(path)
            except StoreError as error:
                logger.warning("%s cannot be used: %s", path, error.message)
                continue
            if contents.schema <= newest_schema() and not contents.is_empty:
                found.append((contents.last, path.name, path))
        return [path for _, _, path in sorted(found, reverse=True)]

    def restore(self) -> Path | None:
        """Put the newest good one in the database's place; None when there is none.

        Nothing of the database may be there. Raises `StoreError`.
        """
        for path in self.newest_first():
            damage = find_damage(path, thorough=True)
            if damage:
                logger.warning("%s is damaged: %s", path, damage[0])
                continue
            self._put_in_place(path)
            return path
        return None

    def thin_out(self, keep: int) -> None:
        """Delete all but the newest `keep`, and those that are damaged."""
        good = self.newest_first()
        for path in sorted(set(self._all()) - set(good[:keep])):
            if path in good or _is_worthless(path):
                path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        files = (self._source, self._source.with_name(f"{self._source.name}-wal"))
        need = sum(path.stat().st_size for path in files if path.exists()) + MARGIN
        spare = self.newest_first()[1:]
        free = _free(self.folder)
        if free + sum(path.stat().st_size for path in spare) < need:  # no older one goes in vain
            raise FullError(
                f"cannot save a backup: {free // 1024**2} MiB are free in {self.folder},"
                f" {need // 1024**2} MiB are needed"
            )
        while spare and _free(self.folder) < need:
            spare.pop().unlink(missing_ok=True)

    def _put_in_place(self, path: Path) -> None:
        beside = self._source.with_name(f".{self._source.name}.new")
        with translated("restore"):
            try:
                shutil.copyfile(path, beside)
                _sync(beside)
                beside.rename(self._source)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
            sync_directory(self._source.parent)

    def _all(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("manager-*.db") if _is_named(path))


def made_at(path: Path) -> datetime:
    """Return when the backup was made, by its name."""
    return datetime.strptime(path.name, FORM).replace(tzinfo=UTC)


def _is_named(path: Path) -> bool:
    try:
        made_at(path)
    except ValueError:
        return False
    return True


def _is_worthless(path: Path) -> bool:
    """Return whether nobody can use it: not this version, nor a newer one, nor later."""
    try:
        return read_contents(path).is_empty
    except DamagedError:
        return True
    except StoreError:
        return False


def _free(folder: Path) -> int:
    space = read_space(folder)
    return 0 if space is None else space.free_bytes


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
