"""The outer form of a bundle: a plain ustar archive, read strictly and in one pass.

The file is opened once and all is read from that descriptor. A header is accepted only when it is,
byte for byte, the one that `render_header` makes: there is one way to write a bundle, and no
extension of tar in which to hide something.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from opmas.errors import (
    BundleError,
    BundleSizeError,
    DigestError,
    RequestError,
    UnsafeMemberError,
    UnsafePathError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK: Final = tarfile.BLOCKSIZE
RECORD: Final = tarfile.RECORDSIZE
CHUNK: Final = 256 * 1024
MODE: Final = 0o644

_ZERO: Final = bytes(BLOCK)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+!-]*)*")


class Sink(Protocol):
    """Where a member's content goes."""

    def write(self, content: bytes | memoryview, /) -> object:
        """Take the next part."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive, whose content comes next."""

    name: str
    size: int


class Archive:
    """An open bundle; `next` and then `read` or `copy` of the same member, until there is none."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.name = name
        self.size = os.fstat(file.fileno()).st_size
        self.offset = 0
        self._ahead: Member | None = None

    def peek(self) -> Member | None:
        """Return what `next` will return."""
        self._ahead = self._ahead or self.next()
        return self._ahead

    def next(self) -> Member | None:
        """Return the next member; none at the end, which is checked to be one."""
        if self._ahead is not None:
            member, self._ahead = self._ahead, None
            return member
        block = self._exactly(BLOCK)
        if block == _ZERO:
            self._check_end()
            return None
        member = self._member(block)
        if member.size > self.size - self.offset:
            raise self._cut()
        return member

    def read(self, member: Member, limit: int) -> bytes:
        """Return the whole content; `BundleSizeError` when it is above the limit."""
        if member.size > limit:
            raise BundleSizeError(
                f"cannot read {self.name}: {member.name} has {member.size} bytes, "
                f"and at most {limit} are read"
            )
        content = self._exactly(member.size)
        self._skip_padding(member)
        return content

    def copy(self, member: Member, sink: Sink, sha256: str) -> Iterator[int]:
        """Copy the content to the sink, yielding the bytes so far; `DigestError` at the end."""
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(min(CHUNK, max(member.size, 1))))
        done = 0
        while done < member.size:
            part = buffer[: min(len(buffer), member.size - done)]
            got = self._file.readinto(part)  # type: ignore[attr-defined] # unbuffered: a FileIO
            if not got:
                raise self._cut()
            digest.update(part[:got])
            sink.write(part[:got])
            done += got
            self.offset += got
            yield done
        self._skip_padding(member)
        check_digest(self.name, member.name, digest.hexdigest(), sha256)

    def _member(self, block: bytes) -> Member:
        try:
            header = tarfile.TarInfo.frombuf(block, "ascii", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise BundleError(f"cannot read {self.name}: no bundle: {error}") from error
        if header.type != tarfile.REGTYPE:
            kind = _KINDS.get(header.type, "of a kind that no bundle has")
            shown = ascii(header.name)[1:81]
            raise UnsafeMemberError(f'cannot read {self.name}: "{shown}" is {kind}')
        check_name(self.name, header.name)
        if header.size < 0 or block != render_header(header.name, header.size):
            raise BundleError(
                f"cannot read {self.name}: the header of {header.name} is not in its plain form"
            )
        return Member(header.name, header.size)

    def _check_end(self) -> None:
        """Refuse all but a second block of zeros and zeros up to a whole record."""
        begin = self.offset - BLOCK
        end = render_end(begin)
        if self.size - begin > len(end):
            raise BundleError(f"cannot read {self.name}: there is more after its end")
        if self._exactly(len(end) - BLOCK).strip(b"\0"):
            raise BundleError(f"cannot read {self.name}: its end is no end of an archive")

    def _skip_padding(self, member: Member) -> None:
        if self._exactly(-member.size % BLOCK).strip(b"\0"):
            raise BundleError(f"cannot read {self.name}: something hides behind {member.name}")

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._file.read(size)
            if not part:
                raise self._cut()
            parts.append(part)
            size -= len(part)
            self.offset += len(part)
        return b"".join(parts)

    def _cut(self) -> BundleError:
        return BundleError(f"cannot read {self.name}: it is cut off after {self.offset} bytes")


_KINDS: Final = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.DIRTYPE: "a directory",
    tarfile.FIFOTYPE: "a named pipe",
}


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open the bundle for reading; `RequestError` for what is no regular file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RequestError(f"cannot read {path}: it is no regular file")
    with os.fdopen(handle, "rb", buffering=0) as file:
        try:
            yield Archive(file, str(path))
        except OSError as error:
            if error.filename is not None:  # of another file
                raise
            raise RequestError(f"cannot read {path}: {(error.strerror or '').lower()}") from error


def check_name(bundle: str, name: str) -> None:
    """Raise `UnsafePathError` when the name is no plain relative path."""
    if not _PLAIN.fullmatch(name) or ".." in name:
        raise UnsafePathError(
            f'cannot read {bundle}: "{ascii(name)[1:-1][:80]}" is no plain relative path'
        )


def check_digest(bundle: str, name: str, found: str, listed: str) -> None:
    """Raise `DigestError` when the content of the member is not the listed one."""
    if found != listed:
        raise DigestError(
            f"cannot read {bundle}: {name} is not what its manifest lists: "
            f"SHA-256 {found}, not {listed}"
        )


def render_header(name: str, size: int) -> bytes:
    """Return the one header that a member of that name and size has."""
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = MODE
    try:
        return header.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    except ValueError as error:
        raise BundleError(f"cannot write {name[:80]} into a bundle: {error}") from error


def render_end(size: int) -> bytes:
    """Return what ends an archive whose members take that many bytes."""
    return bytes(2 * BLOCK + -(size + 2 * BLOCK) % RECORD)
