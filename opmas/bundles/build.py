"""Builds NAME-VERSION.opmas from a package's directory: the same files give the same bytes.

Neither the clock nor the umask, the locale, the order of a directory or the version of zlib are in
it. A signature's comment has the time SOURCE_DATE_EPOCH, or 0.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from packaging.requirements import Requirement

from opmas.bundles.archive import BLOCK, render_end, render_header
from opmas.bundles.fitness import check_unpacked, own_wheel
from opmas.bundles.host import this_host
from opmas.bundles.manifest import (
    AGENT_YAML,
    MANIFEST,
    SIGNATURE,
    WHEELS,
    BundleManifest,
    Entry,
    file_name,
    parse_manifest,
    render_manifest,
)
from opmas.bundles.ownwheel import build_wheel
from opmas.bundles.requirements import check_requirements
from opmas.bundles.selection import fetch_wheels, select_wheels
from opmas.bundles.source import read_manifest, source_files, source_problems
from opmas.bundles.wheels import read_wheel
from opmas.errors import InvalidError, RequestError, UnfitHostError
from opmas.packages.versions import normal
from opmas.packages.yamlfile import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.bundles.host import Host
    from opmas.bundles.minisign import SecretKey
    from opmas.bundles.wheels import Wheel, WheelName
    from opmas.core.package.manifest import Manifest

CHUNK: Final = 256 * 1024
NAME_LENGTH: Final = 100


def check_directory(directory: Path) -> tuple[str, ...]:
    """Return what is wrong with the package in the directory, as `path: reason`."""
    try:
        return source_problems(directory)
    except OSError as error:
        raise _unreadable(error) from error


def build_bundle(
    directory: Path,
    output_dir: Path,
    *,
    secret_key: SecretKey | None,
    wheels: Path | None = None,
    fetch: bool = False,
) -> Path:
    """Return the bundle of the package, written into `output_dir`, or raise all that is wrong.

    Wheels of dependencies come from `wheels`, or else from the package's own wheels/, and with
    `fetch` from an index by pip. Without a key the bundle is not signed.
    """
    problems = check_directory(directory)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidError(f"cannot build {directory}: {problems[0]}{more}", problems)
    try:
        manifest = read_manifest(directory)
        with tempfile.TemporaryDirectory(prefix="opmas-build-") as scratch:
            found = _wheels(directory, manifest, wheels, Path(scratch), fetch=fetch)
            return _write(directory, manifest, found, output_dir, secret_key)
    except OSError as error:
        raise _unreadable(error) from error


def _wheels(
    directory: Path, manifest: Manifest, folder: Path | None, scratch: Path, *, fetch: bool
) -> list[Wheel]:
    """Return all wheels of the bundle, checked as an installation will check them."""
    host = this_host()
    own = read_wheel(build_wheel(manifest, source_files(directory), scratch), host)
    needs = [Requirement(each) for each in manifest.requirements]
    links = folder or directory / "wheels"
    if fetch:
        fetched = scratch / "fetched"
        fetched.mkdir()
        fetch_wheels(needs, links if links.is_dir() else None, fetched)
        links = fetched
    found = [own, *select_wheels(own.name.distribution, needs, links, host)]
    check_requirements(found, host)
    check_unpacked(found)
    return sorted(found, key=lambda wheel: stored_path(wheel.name, host))


def _write(
    directory: Path,
    manifest: Manifest,
    wheels: list[Wheel],
    output_dir: Path,
    secret_key: SecretKey | None,
) -> Path:
    agent_yaml = read_bounded(directory / AGENT_YAML)
    bundled = BundleManifest(
        name=manifest.name,
        version=normal(manifest.version),
        runtime=manifest.runtime,
        requires_python=manifest.requires_python,
        architectures=_architectures(manifest, wheels),
        agent_yaml=Entry(AGENT_YAML, len(agent_yaml), hashlib.sha256(agent_yaml).hexdigest()),
        files=tuple(_entry(wheel) for wheel in wheels),
    )
    own_wheel(bundled, wheels)
    content = render_manifest(bundled)
    parse_manifest(content, where=file_name(bundled.name, bundled.version))
    output_dir.mkdir(parents=True, exist_ok=True)
    final = output_dir / file_name(bundled.name, bundled.version)
    with _new_file(final) as file:
        _add(file, MANIFEST, content)
        if secret_key:
            signature = secret_key.sign(content, MANIFEST, source_date())
            _add(file, SIGNATURE, signature.render().encode("ascii"))
        _add(file, AGENT_YAML, agent_yaml)
        for wheel in wheels:
            _copy(file, wheel)
        file.write(render_end(file.tell()))
    return final


def source_date() -> int:
    """Return SOURCE_DATE_EPOCH, the seconds that stand for now in what is built; 0 without it."""
    written = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not written.isascii() or not written.isdigit():
        raise RequestError(f'cannot use SOURCE_DATE_EPOCH "{written[:40]}": it is no whole number')
    return int(written)


def stored_path(name: WheelName, host: Host) -> str:
    """Return where the wheel lies in the bundle.

    ustar has room for 100 characters, and wheels that name several versions of manylinux are
    longer: of those only the platform that most hosts have stays in the name.
    """
    if len(name.file) <= NAME_LENGTH:
        return WHEELS + name.file
    fitting = [tag for tag in name.tags if tag in host.tags]
    widest = max(fitting, key=lambda tag: (host.tags[tag], tag.platform))
    return f"{WHEELS}{name.file.rpartition('-')[0]}-{widest.platform}.whl"


def _architectures(manifest: Manifest, wheels: list[Wheel]) -> tuple[str, ...]:
    """Return what the package names; with wheels of compiled code, this host's alone."""
    if all(wheel.name.pure for wheel in wheels):
        return manifest.architectures
    here = this_host().architecture
    if manifest.architectures and here not in manifest.architectures:
        raise UnfitHostError(
            f"cannot build package {manifest.name} here: its wheels are for {here}, "
            f"and it is for {', '.join(manifest.architectures)}"
        )
    return (here,)


def _entry(wheel: Wheel) -> Entry:
    with wheel.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Entry(stored_path(wheel.name, this_host()), os.fstat(file.fileno()).st_size, digest)


@contextmanager
def _new_file(final: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when it is whole."""
    beside = final.with_name(f".{final.name}.new")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        beside.replace(final)
    finally:
        beside.unlink(missing_ok=True)


def _add(file: BinaryIO, name: str, content: bytes) -> None:
    file.write(render_header(name, len(content)))
    file.write(content + bytes(-len(content) % BLOCK))


def _copy(file: BinaryIO, wheel: Wheel) -> None:
    with wheel.path.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        file.write(render_header(stored_path(wheel.name, this_host()), size))
        while part := source.read(CHUNK):
            file.write(part)
    file.write(bytes(-size % BLOCK))


def _unreadable(error: OSError) -> RequestError:
    where = error.filename or "the package"
    return RequestError(f"cannot read or write {where}: {(error.strerror or '').lower()}")
