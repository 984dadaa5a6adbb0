"""The zip archive of a wheel, opened so that no hostile one costs more than its limits.

zipfile reads the whole table of contents into memory before it says a word, so its size is looked
up first. What zipfile unpacks is never more than what that table says, so the table bounds it all.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from opmas.bundles import limits
from opmas.errors import (
    BundleSizeError,
    DuplicateMemberError,
    UnfitWheelError,
    UnsafeMemberError,
    UnsafePathError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_END: Final = struct.Struct("<4s4H2LH")  # APPNOTE.TXT 4.3.16
_ZIP64_LOCATOR: Final = 20
_ENCRYPTED: Final = 0x1
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
# What zipfile and zlib raise for content that is no zip.
FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the wheel for reading, its members checked; an error of a bundle when it is unfit."""
    with path.open("rb") as file:
        _check_directory(file, path.name)
        try:
            archive = zipfile.ZipFile(file)
        except FAULTS as error:
            raise UnfitWheelError(f"cannot use {path.name}: it is no wheel: {error}") from error
        with archive:
            _check_members(archive, path.name)
            yield archive


def read_member(archive: zipfile.ZipFile, member: str, wheel: str, limit: int) -> str:
    """Return the text of a member of the metadata that has no more bytes than `limit`."""
    try:
        info = archive.getinfo(member)
        check_size(info, wheel, limit)
        return archive.read(info).decode("utf-8")
    except KeyError as error:
        raise UnfitWheelError(f"cannot use {wheel}: it has no {member}") from error
    except FAULTS as error:
        raise UnfitWheelError(f"cannot use {wheel}: {member} cannot be read: {error}") from error


def check_size(info: zipfile.ZipInfo, wheel: str, limit: int) -> None:
    """Raise `BundleSizeError` when a member that is read into memory is too large for that."""
    if info.file_size > limit:
        raise BundleSizeError(
            f"cannot use {wheel}: {info.filename} has {info.file_size} bytes, "
            f"and at most {limit} are read"
        )


def check_path(path: str, wheel: str) -> None:
    """Raise `UnsafePathError` when the path leads out of where it is unpacked."""
    parts = path.split("/")
    longest = max(len(os.fsencode(part)) if part.isprintable() else 0 for part in parts)
    if (
        {"", ".", ".."} & set(parts)
        or _UNPRINTABLE.search(path)
        or len(path) > limits.PATH_LENGTH
        or longest > 255  # noqa: PLR2004 - NAME_MAX
    ):
        shown = ascii(path)[1:-1][:80]
        raise UnsafePathError(f'cannot use {wheel}: "{shown}" is no plain relative path')


def _check_directory(file: BinaryIO, wheel: str) -> None:
    size = file.seek(0, os.SEEK_END)
    tail_size = min(size, _END.size + _ZIP64_LOCATOR)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    file.seek(0)
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\5\6":
        raise UnfitWheelError(f"cannot use {wheel}: it is no wheel: its end is not that of a zip")
    _, disk, first_disk, here, count, length, offset, comment = _END.unpack(tail[-_END.size :])
    if tail[: -_END.size].startswith(b"PK\6\7"):
        raise BundleSizeError(f"cannot use {wheel}: it is a zip64 archive")
    if count > limits.WHEEL_FILES or length > limits.WHEEL_DIRECTORY_SIZE:
        raise BundleSizeError(
            f"cannot use {wheel}: it has {count} files, and at most {limits.WHEEL_FILES} are read"
        )
    if disk or first_disk or here != count or comment or offset + length + _END.size != size:
        raise UnfitWheelError(f"cannot use {wheel}: its table of contents is not at its end")


def _check_members(archive: zipfile.ZipFile, wheel: str) -> None:
    seen = set()
    infos = archive.infolist()
    if len(infos) > limits.WHEEL_FILES:
        raise BundleSizeError(f"cannot use {wheel}: it has {len(infos)} files")
    for info in infos:
        _check_member(info, wheel)
        if info.filename in seen:
            raise DuplicateMemberError(f"cannot use {wheel}: {info.filename} is in it twice")
        seen.add(info.filename)
    packed = max(1, os.fstat(archive.fp.fileno()).st_size) if archive.fp else 1
    unpacked = sum(info.file_size for info in infos)
    if unpacked > limits.WHEEL_FREE_SIZE and unpacked > packed * limits.WHEEL_RATIO:
        raise BundleSizeError(f"cannot use {wheel}: {packed} bytes unpack to {unpacked}")


def _check_member(info: zipfile.ZipInfo, wheel: str) -> None:
    check_path(info.filename.removesuffix("/"), wheel)
    if info.orig_filename != info.filename:  # zipfile cuts at a NUL
        raise UnsafePathError(f"cannot use {wheel}: a name with a NUL in it")
    kind = stat.S_IFMT(info.external_attr >> 16)
    wanted = {0, stat.S_IFDIR} if info.is_dir() else {0, stat.S_IFREG}
    if kind not in wanted or (info.is_dir() and info.file_size):
        raise UnsafeMemberError(f"cannot use {wheel}: {info.filename} is no plain file")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise UnfitWheelError(f"cannot use {wheel}: {info.filename} is packed in an unknown way")
