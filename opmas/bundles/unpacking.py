"""Unpacks wheels into the staging directory with the `installer` library.

The package's own wheel goes to the top, without its metadata; the others go to .opmas/site.
Scripts are left out: an agent is started by its unit, and nothing else looks for them.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO, Final

from installer import install
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError, InvalidWheelSource
from installer.records import InvalidRecordEntry, RecordEntry
from installer.sources import WheelFile
from installer.utils import SCHEME_NAMES

from opmas.bundles import limits
from opmas.bundles.zips import FAULTS, check_path, open_zip
from opmas.errors import BundleSizeError, DuplicateMemberError, UnfitWheelError, UnsafePathError
from opmas.packages.receipt import FOLDER, SITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from installer.scripts import ScriptSection
    from installer.utils import Scheme

    from opmas.bundles.wheels import Wheel

CHUNK: Final = 64 * 1024
_CODE: Final = frozenset({"purelib", "platlib"})
_RESERVED: Final = frozenset({FOLDER, "agent.yaml"})  # the top of a version that is not its code's


class Unpacked:
    """The files in the staging directory, with their digests."""

    def __init__(self, directory: Path, progress: Callable[[int], None]) -> None:
        self.directory = directory
        self.files: dict[str, str] = {}
        self.bytes = 0
        self._progress = progress
        self._folders = {""}

    def add(self, path: str, stream: BinaryIO, *, executable: bool, wheel: str) -> None:
        """Write a file of the wheel; the same file from two wheels is one, if it is the same."""
        check_path(path, wheel)
        if path in self.files:
            self._compare(path, stream, wheel)
            return
        if len(self.files) >= limits.FILES:
            raise BundleSizeError(f"cannot use {wheel}: more than {limits.FILES} files in all")
        target = self.directory / path
        try:
            self._make_folder(path.rpartition("/")[0])
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except (FileExistsError, NotADirectoryError) as error:
            raise DuplicateMemberError(
                f"cannot use {wheel}: {path} is a file and a folder"
            ) from error
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb", buffering=0) as file:
            while part := stream.read(CHUNK):
                digest.update(part)
                file.write(part)
                self.bytes += len(part)
            os.fchmod(handle, 0o755 if executable else 0o644)
        self.files[path] = digest.hexdigest()
        self._progress(self.bytes)

    def _compare(self, path: str, stream: BinaryIO, wheel: str) -> None:
        digest = hashlib.sha256()
        while part := stream.read(CHUNK):
            digest.update(part)
        if digest.hexdigest() != self.files[path]:
            raise UnfitWheelError(f"cannot use {wheel}: another wheel has another {path}")

    def _make_folder(self, folder: str) -> None:
        if folder in self._folders:
            return
        self._make_folder(folder.rpartition("/")[0])
        place = self.directory / folder
        place.mkdir()
        place.chmod(0o755)  # whatever the umask
        self._folders.add(folder)


class _Destination(WheelDestination):
    """Where installer puts the files of one wheel."""

    def __init__(self, unpacked: Unpacked, wheel: Wheel, folder: str, *, own: bool) -> None:
        self._unpacked = unpacked
        self._wheel = wheel.name.file
        self._info = f"{folder}/"
        self._own = own

    def write_script(
        self,
        name: str,
        module: str,  # noqa: ARG002 - installer's interface
        attr: str,  # noqa: ARG002
        section: ScriptSection,  # noqa: ARG002
    ) -> RecordEntry:
        """Leave the script out."""
        return RecordEntry(name, None, None)

    def write_file(
        self,
        scheme: Scheme,
        path: str | os.PathLike[str],
        stream: BinaryIO,
        is_executable: bool,  # noqa: FBT001 - installer's interface
    ) -> RecordEntry:
        """Write the file when it is code or its data; headers and the like are left out."""
        where = os.fspath(path)
        if scheme in _CODE:
            self._add(where, stream, executable=is_executable)
        return RecordEntry(where, None, None)

    def finalize_installation(
        self,
        scheme: Scheme,
        record_file_path: str | os.PathLike[str],
        records: Iterable[tuple[Scheme, RecordEntry]],
    ) -> None:
        """Leave RECORD out: the receipt has all digests."""

    def _add(self, path: str, stream: BinaryIO, *, executable: bool) -> None:
        if not self._own:
            target = f"{SITE}/{path}"
        elif path.startswith(self._info):
            return
        elif path.split("/", 1)[0] in _RESERVED:
            raise UnsafePathError(f"cannot use {self._wheel}: {path} is not for its code")
        else:
            target = path
        self._unpacked.add(target, stream, executable=executable, wheel=self._wheel)


def unpack(wheel: Wheel, unpacked: Unpacked, *, own: bool) -> None:
    """Unpack the wheel; `own` tells that it is the package's own code."""
    with open_zip(wheel.path) as archive:
        archive.filename = wheel.name.file  # installer reads name and version from it
        try:
            source = WheelFile(archive)
            _check_data(source, archive.namelist())
            install(source, _Destination(unpacked, wheel, source.dist_info_dir, own=own), {})
        except (*FAULTS, InstallerError, InvalidRecordEntry, AssertionError, KeyError) as error:
            raise UnfitWheelError(
                f"cannot use {wheel.name.file}: it cannot be unpacked: {error}"
            ) from error


def _check_data(source: WheelFile, names: list[str]) -> None:
    """Refuse what is in .data and of no scheme: installer 0.6 seeks its scheme for ever."""
    folder = source.data_dir
    for name in names:
        if not name.startswith(folder) or name.endswith("/"):
            continue
        scheme, _, path = name.removeprefix(f"{folder}/").partition("/")
        if not name.startswith(f"{folder}/") or scheme not in SCHEME_NAMES or not path:
            raise InvalidWheelSource(source, f"{name} belongs to no scheme")
