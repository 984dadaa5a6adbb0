"""One wheel: what its name says, whether it fits this host, and what it requires."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from installer.utils import parse_metadata_file
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from opmas.bundles import limits
from opmas.bundles.zips import check_size, open_zip, read_member
from opmas.errors import BundleSizeError, UnfitPythonError, UnfitWheelError

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

    from packaging.tags import Tag

    from opmas.bundles.host import Host


_ROWS: Final = 2 * limits.WHEEL_FILES


@dataclass(frozen=True, slots=True)
class WheelName:
    """What the name of a wheel's file says; `distribution` in its canonical form."""

    file: str
    distribution: str
    version: Version
    tags: frozenset[Tag]

    def rank(self, host: Host) -> int | None:
        """Return how well it fits the host, 0 is best; none when it does not."""
        return min((host.tags[tag] for tag in self.tags if tag in host.tags), default=None)

    @property
    def pure(self) -> bool:
        """Tell whether it fits every architecture."""
        return any(tag.platform == "any" for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that was opened and found fit."""

    name: WheelName
    path: Path
    requirements: tuple[Requirement, ...]
    files: int
    unpacked: int  # bytes
    sources: int  # bytes of the Python files among them


def parse_name(file: str) -> WheelName:
    """Return what the file's name says, or raise `UnfitWheelError`."""
    try:
        name, version, _, tags = parse_wheel_filename(file)
    except (InvalidWheelFilename, InvalidVersion, ValueError) as error:
        raise UnfitWheelError(f"cannot use {file}: its name is not that of a wheel") from error
    return WheelName(file, str(name), Version(str(version)), tags)


def read_wheel(path: Path, host: Host) -> Wheel:
    """Return the wheel when it is whole and fits the host, or raise why not."""
    name = parse_name(path.name)
    if name.rank(host) is None:
        tags = ", ".join(sorted(map(str, name.tags))[:3])
        raise UnfitWheelError(
            f"cannot use {path.name}: it is for {tags}, "
            f"not for Python {host.python} on {host.architecture}"
        )
    with open_zip(path) as archive:
        folder = _info_folder(archive, name)
        wheel = read_member(archive, f"{folder}/WHEEL", path.name, limits.WHEEL_HEADERS_SIZE)
        _check_format(wheel, path.name)
        _check_record(archive, folder, path.name)
        if (points := f"{folder}/entry_points.txt") in archive.namelist():  # installer reads it
            check_size(archive.getinfo(points), path.name, limits.WHEEL_HEADERS_SIZE)
        requirements = _requirements(_headers(archive, folder, path.name), name)
        _check_python(requirements.python, name, host)
        infos = archive.infolist()
        return Wheel(
            name,
            path,
            requirements.wheels,
            len(infos),
            sum(info.file_size for info in infos),
            sum(info.file_size for info in infos if info.filename.endswith(".py")),
        )


@dataclass(frozen=True, slots=True)
class _Requirements:
    wheels: tuple[Requirement, ...]
    python: str


def _info_folder(archive: zipfile.ZipFile, name: WheelName) -> str:
    tops = {member.split("/", 1)[0] for member in archive.namelist() if "/" in member}
    folders = [top for top in tops if top.endswith(".dist-info")]
    if len(folders) != 1:
        raise UnfitWheelError(f"cannot use {name.file}: it has {len(folders)} .dist-info folders")
    distribution, _, version = folders[0].removesuffix(".dist-info").rpartition("-")
    try:
        same = Version(version) == name.version
    except InvalidVersion:
        same = False
    if canonicalize_name(distribution) != name.distribution or not same:
        raise UnfitWheelError(f"cannot use {name.file}: {folders[0]} is of something else")
    return folders[0]


def _check_format(text: str, wheel: str) -> None:
    version = str(parse_metadata_file(text)["Wheel-Version"] or "")
    if not version.startswith("1."):
        raise UnfitWheelError(f"cannot use {wheel}: it is of version {version[:10]} of the format")


def _check_record(archive: zipfile.ZipFile, folder: str, wheel: str) -> None:
    """Refuse a wheel whose RECORD does not list all its files; it may list more."""
    record = f"{folder}/RECORD"
    text = read_member(archive, record, wheel, limits.WHEEL_RECORD_SIZE)
    try:
        rows = list(islice(csv.reader(io.StringIO(text, newline="")), _ROWS + 1))
    except csv.Error as error:
        raise UnfitWheelError(f"cannot use {wheel}: its RECORD cannot be read") from error
    if len(rows) > _ROWS:
        raise BundleSizeError(f"cannot use {wheel}: its RECORD has more than {_ROWS} lines")
    if any(len(row) != 3 for row in rows):  # noqa: PLR2004 - path, digest, size
        raise UnfitWheelError(f"cannot use {wheel}: its RECORD cannot be read")
    listed = {row[0] for row in rows}
    there = {member for member in archive.namelist() if not member.endswith("/")}
    unlisted = there - listed
    if unlisted:
        raise UnfitWheelError(f"cannot use {wheel}: its RECORD lacks {min(unlisted)[:80]}")


def _headers(archive: zipfile.ZipFile, folder: str, wheel: str) -> str:
    """Return METADATA without the text behind its headers."""
    text = read_member(archive, f"{folder}/METADATA", wheel, limits.WHEEL_METADATA_SIZE)
    headers = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    if len(headers) > limits.WHEEL_HEADERS_SIZE:
        raise BundleSizeError(f"cannot use {wheel}: its METADATA has too many headers")
    return headers + "\n"


def _requirements(text: str, name: WheelName) -> _Requirements:
    metadata = parse_metadata_file(text)
    if canonicalize_name(str(metadata["Name"] or "")) != name.distribution:
        raise UnfitWheelError(f"cannot use {name.file}: its METADATA is of another distribution")
    found = []
    for line in metadata.get_all("Requires-Dist") or []:
        try:
            found.append(Requirement(str(line)))
        except InvalidRequirement as error:
            raise UnfitWheelError(
                f'cannot use {name.file}: "{str(line)[:60]}" is no requirement'
            ) from error
    return _Requirements(tuple(found), str(metadata["Requires-Python"] or ""))


def _check_python(specifier: str, name: WheelName, host: Host) -> None:
    try:
        fits = SpecifierSet(specifier).contains(host.python, prereleases=True)
    except InvalidSpecifier:  # pip goes by the tags then
        fits = True
    if not fits:
        raise UnfitPythonError(
            f"cannot use {name.file}: it needs Python {specifier[:60]}, and this is {host.python}"
        )
