"""Configuration files of a Debian package put aside, in STATE/conffiles/DEB/VERSION/.

dpkg keeps an edited file over an upgrade and over a downgrade, but an unedited one it replaces
both times, and it leaves its own copies beside. "As before" is what was on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from opmas.errors import InvalidError
from opmas.host.files import sync_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.work.dpkg import Conffile

SIZE_LIMIT: Final = 16 << 20  # bytes of one file
INDEX: Final = "index.json"
KEPT: Final = 8  # versions of one package: more than there are .debs kept
SUFFIXES: Final = (".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp")  # what dpkg leaves beside


@dataclass(frozen=True, slots=True)
class Kept:
    """A configuration file as it was: `file` has its content, `link` is where it pointed."""

    path: str
    file: str = ""
    link: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0


def beside(conffiles: Iterable[Conffile]) -> set[str]:
    """Return the files that dpkg has left beside the configuration files."""
    paths = (f"{each.path}{suffix}" for each in conffiles for suffix in SUFFIXES)
    return {path for path in paths if os.path.lexists(path)}


def remove_unedited(conffiles: Iterable[Conffile]) -> None:
    """Remove files that are as their package shipped them."""
    for each in conffiles:
        path = Path(each.path)
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_size <= SIZE_LIMIT:
                content = path.read_bytes()
                if hashlib.md5(content, usedforsecurity=False).hexdigest() == each.digest:
                    path.unlink()


class Conffiles:
    """Configuration files of one version of a package, as they were on the disk."""

    def __init__(self, folder: Path, deb: str, version: str) -> None:
        self._parent = folder / deb
        self._name = quote(version, safe="+~")
        self._folder = self._parent / self._name

    def save(self, conffiles: tuple[Conffile, ...]) -> None:
        """Put the files aside, in place of what was put aside for this version before."""
        self._parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = self._parent / f".{self._name}.half"
        old = self._parent / f".{self._name}.old"
        for left in (half, old):
            shutil.rmtree(left, ignore_errors=True)
        half.mkdir(mode=0o700)
        kept = [
            _put_aside(Path(each.path), half, str(number))
            for number, each in enumerate(conffiles)
            if not each.obsolete
        ]
        index = {
            "files": [asdict(each) for each in kept],
            "beside": sorted(beside(conffiles)),
        }
        write_whole(half / INDEX, json.dumps(index) + "\n", 0o600)
        with suppress(FileNotFoundError):
            self._folder.rename(old)
        half.rename(self._folder)
        sync_directory(self._parent)
        shutil.rmtree(old, ignore_errors=True)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        found = [(path.stat().st_mtime_ns, path) for path in self._parent.iterdir()]
        for _, path in sorted(found, reverse=True)[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)

    def bring_back(self, others: Iterable[Conffile]) -> tuple[str, ...]:
        """Make the files what they were, and return their paths; none when none were put aside.

        What dpkg has left since beside them, and beside `others`, is removed.
        """
        try:
            index = json.loads((self._folder / INDEX).read_bytes())
        except FileNotFoundError:
            return ()
        kept = [Kept(**each) for each in index["files"]]
        for each in kept:
            self._bring_back(each)
        ours = {f"{each.path}{suffix}" for each in kept for suffix in SUFFIXES}
        for path in (ours | beside(others)) - set(index["beside"]):
            Path(path).unlink(missing_ok=True)
        return tuple(each.path for each in kept)

    def _bring_back(self, kept: Kept) -> None:
        path = Path(kept.path)
        if kept.link:
            if not path.is_symlink() or str(path.readlink()) != kept.link:
                path.unlink(missing_ok=True)
                path.symlink_to(kept.link)
        elif not kept.file:
            path.unlink(missing_ok=True)
        else:
            _write(path, (self._folder / kept.file).read_bytes(), kept)


def _put_aside(path: Path, folder: Path, name: str) -> Kept:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Kept(str(path))
    if stat.S_ISLNK(found.st_mode):
        return Kept(str(path), link=str(path.readlink()))
    if not stat.S_ISREG(found.st_mode) or found.st_size > SIZE_LIMIT:
        raise InvalidError(f"cannot put {path} aside: it is no file, or larger than 16 MiB")
    target = folder / name
    with open(_there(path), "rb") as file, target.open("wb") as copy:
        copy.write(file.read(SIZE_LIMIT))
        copy.flush()
        os.fsync(copy.fileno())
    mode = stat.S_IMODE(found.st_mode)
    return Kept(str(path), file=name, mode=mode, uid=found.st_uid, gid=found.st_gid)


def _there(path: Path) -> int:
    """Open the file, and not what a link leads to that has just come in its place."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _new(path: Path) -> int:
    """Make a new file: whoever may write the directory could have put a link there."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def _write(path: Path, content: bytes, kept: Kept) -> None:
    """Write the file whole, with its owner and mode; one that is so already is left alone."""
    with suppress(FileNotFoundError):
        found = path.lstat()
        same = (found.st_mode, found.st_uid, found.st_gid)
        if same == (stat.S_IFREG | kept.mode, kept.uid, kept.gid) and path.read_bytes() == content:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.opmas")
    with open(_new(beside), "wb") as file:
        os.fchown(file.fileno(), kept.uid, kept.gid)
        os.fchmod(file.fileno(), kept.mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    sync_directory(path.parent)
