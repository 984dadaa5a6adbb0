"""Whether a bundle may be installed here: what was asked for, and what this host is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from opmas.bundles import limits
from opmas.core.package.manifest import Manifest, parse_manifest
from opmas.errors import (
    BundleError,
    BundleSizeError,
    DiskSpaceError,
    InvalidError,
    UnfitHostError,
    UnfitOpmasError,
    UnfitPythonError,
    UnfitWheelError,
    VersionMismatchError,
)
from opmas.packages.versions import is_same, satisfies
from opmas.packages.yamlfile import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from opmas.bundles.host import Host
    from opmas.bundles.manifest import BundleManifest
    from opmas.bundles.wheels import Wheel

SPARE: Final = 32 * limits.MIB  # stays free: the host goes on after us
BYTECODE: Final = 1.3  # bytes of .pyc for one of .py; 0.9 in the mean of Debian's python3 packages
BLOCK: Final = 4096


def check_wanted(manifest: BundleManifest, name: str, version: str) -> None:
    """Raise when it is not the package or version that was asked for."""
    if name and manifest.name != name:
        raise VersionMismatchError(
            f'cannot install package "{name}": the bundle holds "{manifest.name}"'
        )
    if version and not is_same(manifest.version, version):
        raise VersionMismatchError(
            f'cannot install version {version} of package "{manifest.name}": '
            f"the bundle holds {manifest.version}"
        )


def check_host(manifest: BundleManifest, host: Host) -> None:
    """Raise when the package is not for this Python or this architecture."""
    what = f"package {manifest.name} {manifest.version}"
    if not _satisfies(host.python, manifest.requires_python):
        raise UnfitPythonError(
            f"cannot install {what}: it needs Python {manifest.requires_python}, "
            f"and this host has {host.python}"
        )
    if manifest.architectures and host.architecture not in manifest.architectures:
        raise UnfitHostError(
            f"cannot install {what}: it is for {', '.join(manifest.architectures)}, "
            f"and this host is {host.architecture}"
        )


def check_agent_yaml(content: bytes, manifest: BundleManifest, host: Host) -> Manifest:
    """Return the package's manifest when it is the one of the bundle and this OPMAS can run it."""
    package = parse_agent_yaml(content)
    if package.name != manifest.name or not is_same(package.version, manifest.version):
        raise VersionMismatchError(
            f"cannot install package {manifest.name} {manifest.version}: "
            f"its agent.yaml is of {package.name} {package.version}"
        )
    if (package.runtime, package.requires_python) != (manifest.runtime, manifest.requires_python):
        raise BundleError(
            f"cannot install package {manifest.name} {manifest.version}: "
            "manifest.json and agent.yaml differ"
        )
    if package.architectures and host.architecture not in package.architectures:
        raise UnfitHostError(
            f"cannot install package {manifest.name} {manifest.version}: "
            f"it is for {', '.join(package.architectures)}, and this host is {host.architecture}"
        )
    if not _satisfies(host.opmas, package.opmas):
        raise UnfitOpmasError(
            f"cannot install package {manifest.name} {manifest.version}: "
            f"it needs OPMAS {package.opmas}, and this is {host.opmas}"
        )
    return package


def parse_agent_yaml(content: bytes) -> Manifest:
    """Return the package's manifest, or raise `InvalidError` with all that is wrong with it."""
    where = "agent.yaml of the bundle"
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidError(f"cannot read {where}: not UTF-8 text") from error
    return parse_manifest(parse_yaml(text, where=where), where=where)


def own_wheel(manifest: BundleManifest, wheels: Sequence[Wheel]) -> Wheel:
    """Return the wheel of the package's own code, which must be of the same version."""
    for wheel in wheels:
        if wheel.name.distribution != manifest.own_distribution:
            continue
        if str(wheel.name.version) != manifest.version:
            raise VersionMismatchError(
                f"cannot install package {manifest.name} {manifest.version}: "
                f"its own code is of version {wheel.name.version}"
            )
        return wheel
    raise UnfitWheelError(
        f"cannot install package {manifest.name} {manifest.version}: "
        f"no wheel is {manifest.own_distribution}"
    )


def check_unpacked(wheels: Sequence[Wheel]) -> None:
    """Raise when the wheels unpack to more than a version may have."""
    files = sum(wheel.files for wheel in wheels)
    size = sum(wheel.unpacked for wheel in wheels)
    if files > limits.FILES or size > limits.UNPACKED_SIZE:
        raise BundleSizeError(
            f"cannot use the bundle: it unpacks to {files} files of {size} bytes, and at most "
            f"{limits.FILES} of {limits.UNPACKED_SIZE} are"
        )


def room_for(wheels: Sequence[Wheel]) -> int:
    """Return how many bytes the wheels take when they are unpacked and compiled."""
    files = sum(wheel.files for wheel in wheels)
    size = sum(wheel.unpacked + wheel.sources * BYTECODE for wheel in wheels)
    return int(size) + 2 * files * BLOCK


def check_room(root: Path, size: int) -> None:
    """Raise `DiskSpaceError` when the file system has no room for so many bytes."""
    found = os.statvfs(root)
    free = found.f_bavail * found.f_frsize
    if free < size + SPARE:
        mib = limits.MIB
        raise DiskSpaceError(
            f"cannot install into {root}: it needs {(size + SPARE) // mib + 1} MiB, "
            f"and {free // mib} MiB are free"
        )


def _satisfies(version: str, specifier: str) -> bool:
    return not specifier or satisfies(version, specifier)
