"""Which agent packages this host has: directories with an agent.yaml, checked.

A directory below DEB_ROOT belongs to the Debian package `opmas-agent-NAME` and counts only when
dpkg has configured it: in an apt run that installs manager and agent together, the trigger fires
while the agent is unpacked and its conffiles are not there yet.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.manifest import Manifest, parse_manifest
from opmas.errors import InvalidError
from opmas.packages.deb import PREFIX, Deb, agent_debs
from opmas.packages.owner import check_owner
from opmas.packages.programs import stamp
from opmas.packages.yamlfile import decode_yaml, read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable

DEB_ROOT: Final = Path("/usr/lib/opmas/agents")
MANIFEST: Final = "agent.yaml"


@dataclass(frozen=True, slots=True)
class Package:
    """An agent package on this host."""

    manifest: Manifest
    directory: str
    digest: str  # changes with the manifest's text, the Debian version and the program
    deb: str | None = None

    @property
    def name(self) -> str:
        """The package's name."""
        return self.manifest.name


@dataclass(frozen=True, slots=True)
class Refusal:
    """A directory that holds no usable package, and all that is wrong with it."""

    path: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The packages by name, and what was refused."""

    packages: dict[str, Package]
    refused: tuple[Refusal, ...] = ()


def scan(roots: Iterable[str]) -> Catalogue:
    """Return the packages below the roots; the first of a name wins. `BackendError` from dpkg."""
    packages: dict[str, Package] = {}
    refused = []
    for root in map(Path, roots):
        debs = agent_debs() if root == DEB_ROOT else None
        for path in sorted(root.glob(f"*/{MANIFEST}")):
            try:
                package = _read(path, debs)
            except InvalidError as error:
                problems = map(_as_text, error.problems or (error.message,))
                refused.append(Refusal(_as_text(str(path)), tuple(problems)))
                continue
            if package is not None:
                packages.setdefault(package.name, package)
    return Catalogue(packages, tuple(refused))


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
