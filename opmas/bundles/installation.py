"""Installs a bundle into ROOT/NAME/VERSION, and takes versions away.

The order is fixed: the signature is verified before anything is parsed, all is checked before
anything is unpacked, all is on the disk before one rename makes it visible. What happens at any
instant leaves the old state or the new one, and rubbish in ROOT/.staging that the next job sweeps.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from opmas.bundles import staging
from opmas.bundles.authority import Terms
from opmas.bundles.compilation import compile_files
from opmas.bundles.fitness import (
    check_agent_yaml,
    check_host,
    check_room,
    check_unpacked,
    check_wanted,
    own_wheel,
    room_for,
)
from opmas.bundles.host import this_host
from opmas.bundles.installed import verify_installed
from opmas.bundles.manifest import AGENT_YAML
from opmas.bundles.reader import open_bundle
from opmas.bundles.requirements import check_requirements
from opmas.bundles.staging import disk_errors, staged, sweep
from opmas.bundles.trust import TrustStore
from opmas.bundles.unpacking import Unpacked, unpack
from opmas.bundles.wheels import read_wheel
from opmas.core.agent.terms import NAME
from opmas.errors import InvalidError, VersionTakenError
from opmas.packages.owner import check_owner
from opmas.packages.receipt import FOLDER, RECEIPT, Receipt, Trust, dump_receipt, read_receipt
from opmas.packages.versions import normal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.bundles.reader import Bundle
    from opmas.bundles.staging import Staging
    from opmas.bundles.wheels import Wheel

    Progress = Callable[[str, int, int], None]

__all__ = ["Installed", "Place", "install", "sweep", "uninstall", "verify_installed"]

WHEELS: Final = ".wheels"  # in the staging directory; never in its place


@dataclass(frozen=True, slots=True)
class Place:
    """Where versions are installed, and whom the host trusts."""

    root: Path
    trusted_keys: Path
    allow_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Installed:
    """A version that is installed now; `fresh` tells that it was not before."""

    name: str
    version: str
    digest: str
    trust: Trust
    key: str
    bytes: int
    fresh: bool


def install(
    path: Path,
    *,
    place: Place,
    expect_name: str = "",
    expect_version: str = "",
    delivered_by: str = "",
    progress: Progress = lambda _step, _done, _total: None,
) -> Installed:
    """Install the bundle, or raise why it cannot be; what is there already is left as it is.

    `delivered_by` names the Debian package that brought it. `progress` is told step, done, total.
    """
    if delivered_by:  # it is believed for its place, so nobody else may have put it there
        check_owner(path.parent, path)
    terms = Terms(delivered_by, place.allow_unsigned)
    with open_bundle(path, TrustStore(place.trusted_keys), terms) as bundle:
        check_wanted(bundle.manifest, expect_name, expect_version)
        check_host(bundle.manifest, this_host())
        final = place.root / bundle.manifest.name / bundle.manifest.version
        with disk_errors(f"install {path}"):
            place.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            sweep(place.root)
            there = _receipt(final)
            if there is not None and _is_whole(final, there, bundle.digest):
                return _installed(there, fresh=False)
            check_room(place.root, bundle.manifest.size)
        name = f"{bundle.manifest.name}-{bundle.manifest.version}"
        with staged(place.root, name) as stage:
            receipt = _fill(stage, bundle, final, delivered_by, progress)
            progress("sync", 0, receipt.bytes)
            stage.place(final)
            progress("sync", receipt.bytes, receipt.bytes)
        return _installed(receipt, fresh=True)


def uninstall(root: Path, name: str, version: str) -> None:
    """Remove the version; one that is not there is removed already."""
    if not NAME.fullmatch(name):
        raise InvalidError(f'cannot remove package "{name[:80]}": that is no name of one')
    directory = root / name / normal(version)
    with disk_errors(f"remove {directory}"):
        sweep(root)
        staging.set_aside(root, directory)
        try:
            directory.parent.rmdir()
        except OSError:  # other versions are there, or not even the folder
            return
        staging.sync_folder(root)


def _fill(
    stage: Staging, bundle: Bundle, final: Path, delivered_by: str, progress: Progress
) -> Receipt:
    wheels = _read(stage, bundle, progress)
    own = _check(wheels, bundle, stage.root, progress)
    total = sum(wheel.unpacked for wheel in wheels)
    unpacked = Unpacked(stage.directory, lambda done: progress("unpack", done, total))
    unpacked.add(
        AGENT_YAML, io.BytesIO(bundle.agent_yaml), executable=False, wheel=bundle.archive.name
    )
    for wheel in [own, *(wheel for wheel in wheels if wheel is not own)]:
        unpack(wheel, unpacked, own=wheel is own)
        wheel.path.unlink()
    (stage.directory / WHEELS).rmdir()
    compile_files(unpacked, final, lambda done, count: progress("compile", done, count))
    return _write_receipt(unpacked, bundle, delivered_by)


def _read(stage: Staging, bundle: Bundle, progress: Progress) -> list[Wheel]:
    """Copy the wheels into the staging directory: what is verified is what is unpacked."""
    total = bundle.manifest.size
    bundle.read_agent_yaml()
    done = bundle.manifest.agent_yaml.size
    folder = stage.directory / WHEELS
    folder.mkdir(mode=0o700)
    paths = []
    for entry in bundle.manifest.files:
        path = folder / entry.path.rpartition("/")[2]
        with path.open("xb", buffering=0) as file:
            for copied in bundle.copy(entry, file):
                progress("verify", done + copied, total)
        done += entry.size
        paths.append(path)
    bundle.check_end()
    return [read_wheel(path, this_host()) for path in paths]


def _check(wheels: list[Wheel], bundle: Bundle, root: Path, progress: Progress) -> Wheel:
    progress("check", 0, len(wheels))
    host = this_host()
    check_agent_yaml(bundle.agent_yaml, bundle.manifest, host)
    check_requirements(wheels, host)
    check_unpacked(wheels)
    own = own_wheel(bundle.manifest, wheels)
    check_room(root, room_for(wheels))
    progress("check", len(wheels), len(wheels))
    return own


def _write_receipt(unpacked: Unpacked, bundle: Bundle, delivered_by: str) -> Receipt:
    receipt = Receipt(
        name=bundle.manifest.name,
        version=bundle.manifest.version,
        digest=bundle.digest,
        trust=bundle.verdict.trust,
        key=bundle.verdict.key_id,
        delivered_by=delivered_by,
        installed_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        bytes=unpacked.bytes,
        files=dict(sorted(unpacked.files.items())),
    )
    folder = unpacked.directory / FOLDER
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    path = unpacked.directory / RECEIPT
    path.write_text(dump_receipt(receipt), encoding="utf-8")
    path.chmod(0o644)
    return receipt


def _receipt(directory: Path) -> Receipt | None:
    """Return the receipt of what is installed; a damaged one is as good as none."""
    try:
        return read_receipt(directory)
    except InvalidError:
        return None


def _is_whole(directory: Path, there: Receipt, digest: str) -> bool:
    """Return whether the bundle is installed; false when what is there is damaged."""
    if verify_installed(directory):
        return False
    if there.digest != digest:
        raise VersionTakenError(
            f"cannot install {there.name} {there.version}: it is installed from another bundle; "
            "give what has changed another version"
        )
    return True


def _installed(receipt: Receipt, *, fresh: bool) -> Installed:
    return Installed(
        receipt.name,
        receipt.version,
        receipt.digest,
        receipt.trust,
        receipt.key,
        receipt.bytes,
        fresh,
    )
