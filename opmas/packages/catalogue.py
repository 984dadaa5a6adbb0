"""Which agent packages this host has: directories with an agent.yaml, checked.

Bundles are installed below STORE, a directory for each version. One that a Debian package
delivered counts as long as that is installed.

A directory below DEB_ROOT belongs to the Debian package `opmas-agent-NAME` and counts only when
dpkg has configured it: in an apt run that installs manager and agent together, the trigger fires
while the agent is unpacked and its conffiles are not there yet.
"""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.package.manifest import Manifest, parse_manifest
from opmas.errors import InvalidError
from opmas.packages.deb import PREFIX, Deb, agent_debs
from opmas.packages.owner import check_owner
from opmas.packages.programs import stamp
from opmas.packages.receipt import Receipt, read_receipt
from opmas.packages.yamlfile import decode_yaml, read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEB_ROOT: Final = Path("/usr/lib/opmas/agents")
MANIFEST: Final = "agent.yaml"


@dataclass(frozen=True, slots=True)
class Package:
    """An agent package on this host."""

    manifest: Manifest
    directory: str
    digest: str  # changes with the manifest's text, the Debian version and the program
    deb: str | None = None
    receipt: Receipt | None = None  # of a version that came as a bundle

    @property
    def name(self) -> str:
        """The package's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The package's version; an installed one in its normal spelling."""
        return self.manifest.version if self.receipt is None else self.receipt.version

    @property
    def source(self) -> str:
        """Where it came from: bundle, deb or directory."""
        if self.receipt is not None:
            return "bundle"
        return "directory" if self.deb is None else "deb"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A directory that holds no usable package, and all that is wrong with it."""

    path: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The packages, the first of a name before the others, and what was refused."""

    packages: tuple[Package, ...]
    refused: tuple[Refusal, ...] = ()
    withdrawn: tuple[tuple[str, str], ...] = ()  # names and versions whose Debian package is gone


def scan(roots: Iterable[str], store: Path | None = None) -> Catalogue:
    """Return the packages below the roots and the store. `BackendError` from dpkg."""
    packages: list[Package] = []
    refused = []
    readers: list[tuple[Path, Callable[[Path], Package | None]]] = []
    for root in map(Path, roots):
        debs = agent_debs() if root == DEB_ROOT else None
        found = sorted(root.glob(f"*/{MANIFEST}"))
        readers += [(path, functools.partial(_read, debs=debs)) for path in found]
    installed = [] if store is None else sorted(store.glob(f"[!.]*/*/{MANIFEST}"))
    if installed:
        debs = agent_debs()
        readers += [(path, functools.partial(_read_installed, debs=debs)) for path in installed]
    withdrawn = []
    for path, read in readers:
        try:
            package = read(path)
        except InvalidError as error:
            problems = map(_as_text, error.problems or (error.message,))
            refused.append(Refusal(_as_text(str(path)), tuple(problems)))
            continue
        if package is not None:
            packages.append(package)
        elif path in installed:
            withdrawn.append((path.parts[-3], path.parts[-2]))
    return Catalogue(tuple(packages), tuple(refused), tuple(withdrawn))


def _read_installed(path: Path, debs: dict[str, Deb]) -> Package | None:
    folder = path.parent
    receipt = read_receipt(folder)
    if receipt is None or (receipt.name, receipt.version) != (folder.parent.name, folder.name):
        raise InvalidError(
            f"cannot use {folder}: it was not installed by OPMAS",
            (f"{folder}: has no receipt of this place: remove it",),
        )
    if receipt.delivered_by.startswith("deb:"):
        deb = debs.get(receipt.delivered_by.removeprefix("deb:"))
        if deb is None or not deb.present:  # it was removed, and takes along what it brought
            return None
    check_owner(folder.parent, folder, path)
    manifest = parse_manifest(decode_yaml(read_bounded(path), path), where=str(path))
    light = replace(receipt, files={})  # thousands of names, and nobody here asks for them
    return Package(manifest, str(folder), receipt.digest[:16], receipt=light)


def _read(path: Path, debs: dict[str, Deb] | None) -> Package | None:
    folder = path.parent
    deb = None if debs is None else debs.get(f"{PREFIX}{folder.name}")
    if debs is not None and deb is None:
        raise InvalidError(
            f"cannot use {folder}: no Debian package owns it",
            (f"{PREFIX}{folder.name} is not installed: move it out of dpkg's {DEB_ROOT}",),
        )
    if deb is not None and not deb.configured:
        return None
    check_owner(path.parents[1], folder, path)
    content = read_bounded(path)
    manifest = parse_manifest(decode_yaml(content, path), where=str(path))
    if manifest.name != folder.name:
        raise InvalidError(
            f"cannot read {path}: the directory is not named after the package",
            (f'name: must be "{folder.name}" like its directory, not "{manifest.name}"',),
        )
    version = "" if deb is None else deb.version
    parts = (content, version.encode(), os.fsencode(stamp(manifest.command)))
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    return Package(manifest, str(folder), digest, None if deb is None else deb.name)


def _as_text(found: str) -> str:
    """Return it with the bytes of a path that are no UTF-8 as escapes: no database takes them."""
    return os.fsencode(found).decode(errors="backslashreplace")
