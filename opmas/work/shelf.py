"""The .debs of versions that a rollback may return to: /var/cache/opmas/debs/DEB_VERSION_ARCH.deb.

apt keeps no .deb for long, and those of a file: repository never.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from opmas.errors import BackendError, InvalidError
from opmas.host.files import sync_directory
from opmas.work import apt, dpkg
from opmas.work.children import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.work.dpkg import Built

KEPT: Final = 4  # .debs of one package: the present one and three before it
DEB_SIZE_LIMIT: Final = 2 << 30
REPACK: Final = "/usr/bin/dpkg-repack"
REPACK_LIMIT: Final = 300.0
SCRATCH: Final = "/var/tmp"  # noqa: S108 -- on a disk, for a directory that nobody else opens


def copy_deb(source: Path, target: Path) -> Path:
    """Copy a .deb that somebody else may write, so that it stays what was looked at."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidError(f"cannot read {source}: {(error.strerror or '').lower()}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > DEB_SIZE_LIMIT:
            raise InvalidError(f"cannot read {source}: it is no file, or larger than 2 GiB")
        with open(descriptor, "rb", closefd=False) as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
    finally:
        os.close(descriptor)
    return target


class Debs:
    """The .deb files that are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, deb: str, version: str) -> Path | None:
        """Return the file of that version, when it is what its name says."""
        for path in self._of(deb):
            with suppress(InvalidError):
                built = dpkg.read_deb(path)
                if (built.name, built.version) == (deb, version):
                    return path
        return None

    def versions(self, deb: str) -> tuple[str, ...]:
        """Return the versions that are kept, the one kept last first."""
        found = []
        for path in self._of(deb):
            with suppress(InvalidError):
                found.append(dpkg.read_deb(path).version)
        return tuple(found)

    def keep(self, deb: str, version: str) -> Path:
        """Have the installed version's .deb, from wherever there is one; else `BackendError`."""
        known = self.find(deb, version)
        if known is not None:
            return known
        # apt fetches as a user of its own, who could not reach a directory of root's
        with tempfile.TemporaryDirectory(dir=SCRATCH, prefix="opmas-") as made:
            for path in _sources(deb, version, Path(made)):
                kept = self.add(path, deb, version)
                if kept is not None:
                    return kept
        raise BackendError(
            f"cannot keep {deb} {version}, to which a rollback would return: no repository has "
            "it any more, and dpkg-repack could not rebuild it: apt install dpkg-repack, or put "
            f"its .deb into {self._folder}"
        )

    def keep_fetched(self, deb: str, version: str) -> None:
        """Have the .deb that apt has just fetched, while it has it."""
        for path in sorted(apt.ARCHIVES.glob(f"{deb}_*.deb")):
            self.add(path, deb, version)

    def add(self, path: Path, deb: str, version: str) -> Path | None:
        """Keep a copy of the file when it is of that version; the oldest ones go."""
        with suppress(InvalidError):
            built = dpkg.read_deb(path)
            if (built.name, built.version) == (deb, version):
                return self._add(path, built)
        return None

    def _add(self, path: Path, built: Built) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = (
            self._folder
            / f"{built.name}_{quote(built.version, safe='+~')}_{built.architecture}.deb"
        )
        beside = self._folder / f".{target.name}.new"
        with path.open("rb") as source, beside.open("wb") as copy:
            os.fchmod(copy.fileno(), 0o600)
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        beside.rename(target)
        sync_directory(self._folder)
        for old in self._of(built.name)[KEPT:]:
            old.unlink(missing_ok=True)
        return target

    def _of(self, deb: str) -> list[Path]:
        found = [(path.stat().st_mtime_ns, path) for path in self._folder.glob(f"{deb}_*.deb")]
        return [path for _, path in sorted(found, reverse=True)]


def _sources(deb: str, version: str, made: Path) -> Iterator[Path]:
    """Yield .deb files that may be of that version, the surest first."""
    yield from sorted(apt.ARCHIVES.glob(f"{deb}_*.deb"))
    fetched = apt.download(deb, version, made)
    if fetched is not None:
        yield fetched
    if Path(REPACK).exists() and dpkg.status(deb).version == version:
        ask(REPACK, deb, limit=REPACK_LIMIT, cwd=made)
        yield from made.glob("*.deb")
