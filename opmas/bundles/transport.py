"""Builds opmas-agent-NAME, the Debian package that carries a bundle to hosts by apt.

It has no maintainer scripts and no unit: it puts the bundle into /usr/share/opmas/bundles and
activates a trigger of opmas-manager, which has the bundle installed beside the versions that are
there. The same bundle gives the same bytes.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from opmas.bundles.authority import Terms
from opmas.bundles.build import source_date
from opmas.bundles.debversion import debian_version
from opmas.bundles.fitness import parse_agent_yaml
from opmas.bundles.manifest import file_name
from opmas.bundles.reader import open_bundle
from opmas.bundles.trust import TrustStore
from opmas.errors import BackendError
from opmas.packages.deb import PREFIX

if TYPE_CHECKING:
    from opmas.bundles.manifest import BundleManifest
    from opmas.core.package.manifest import Manifest

BUNDLES: Final = "usr/share/opmas/bundles"
MINIMUM: Final = "0.2.0"  # the first opmas-manager that takes bundles
TIMEOUT: Final = 600.0
OLDEST: Final = 1_767_225_600  # 2026-01-01: no bundle is older; archives refuse files of 1970
_LOWER_BOUNDS: Final = frozenset({">=", ">", "~=", "=="})


@dataclass(frozen=True, slots=True)
class _Deb:
    """What the Debian package says of itself."""

    package: str
    version: str
    architecture: str
    maintainer: str
    bundle: BundleManifest
    agent: Manifest

    @property
    def file(self) -> str:
        """The name of its file, which has no epoch."""
        return f"{self.package}_{self.version.rpartition(':')[2]}_{self.architecture}.deb"


def build_deb(bundle: Path, output_dir: Path) -> Path:
    """Return the Debian package that carries the bundle, written into `output_dir`.

    Maintainer is whom DEBFULLNAME and DEBEMAIL name; times are SOURCE_DATE_EPOCH, or 2026-01-01.
    """
    with tempfile.TemporaryDirectory(prefix="opmas-deb-") as scratch:
        tree = Path(scratch) / "tree"
        try:
            deb = _described(bundle, Path(scratch) / "no-keys")
            _fill(tree, deb, bundle)
            output_dir.mkdir(parents=True, exist_ok=True)
            return _packed(tree, output_dir / deb.file)
        except OSError as error:
            where = error.filename or output_dir
            raise BackendError(
                f"cannot write {where}: {(error.strerror or '').lower()}"
            ) from error


def _described(path: Path, no_keys: Path) -> _Deb:
    # whoever builds the package vouches for the bundle in it
    terms = Terms(delivered_by=f"deb:{path.name}")
    with open_bundle(path, TrustStore(no_keys), terms) as bundle:
        bundle.read_all()
        agent = parse_agent_yaml(bundle.agent_yaml)
        manifest = bundle.manifest
    package = f"{PREFIX}{manifest.name}"
    name = os.environ.get("DEBFULLNAME", f"The maintainers of {package}")
    address = os.environ.get("DEBEMAIL", f"{manifest.name}@opmas.invalid")
    only = manifest.architectures if len(manifest.architectures) == 1 else ("all",)
    version = debian_version(manifest.version)
    return _Deb(package, version, only[0], f"{name} <{address}>", manifest, agent)


def _fill(tree: Path, deb: _Deb, bundle: Path) -> None:
    doc = tree / "usr/share/doc" / deb.package
    control = tree / "DEBIAN"
    target = tree / BUNDLES / file_name(deb.bundle.name, deb.bundle.version)
    for folder in (doc, control, target.parent):
        folder.mkdir(parents=True)
    with bundle.open("rb") as source, target.open("wb") as copy:
        while part := source.read(256 * 1024):
            copy.write(part)
    (doc / "copyright").write_text(_copyright(deb), encoding="utf-8")
    with (doc / "changelog.gz").open("wb") as file:
        file.write(gzip.compress(_changelog(deb).encode(), compresslevel=9, mtime=0))
    (control / "control").write_text(_control(deb, tree), encoding="utf-8")
    (control / "triggers").write_text("activate-noawait opmas-agents\n", encoding="utf-8")
    stamp = _date()
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # whatever the umask
    for path in sorted(tree.rglob("*"), reverse=True):
        os.utime(path, (stamp, stamp))
    os.utime(tree, (stamp, stamp))


def _packed(tree: Path, path: Path) -> Path:
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--threads-max=1"]
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [*command, "--build", str(tree), str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
            env={**environ, "SOURCE_DATE_EPOCH": str(_date())},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"cannot run dpkg-deb: {error}") from error
    if done.returncode != 0:
        raise BackendError(f"cannot build {path.name}: {done.stderr.strip()[:500]}")
    path.chmod(0o644)
    return path


def _date() -> int:
    return max(source_date(), OLDEST)


def _control(deb: _Deb, tree: Path) -> str:
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    links = deb.agent.links.homepage
    homepage = f"Homepage: {links}\n" if links else ""
    return (
        f"Package: {deb.package}\n"
        f"Version: {deb.version}\n"
        f"Architecture: {deb.architecture}\n"
        f"Maintainer: {deb.maintainer}\n"
        f"Installed-Size: {-(-size // 1024)}\n"
        f"Depends: opmas-manager (>= {_least(deb.agent.opmas)})\n"
        "Section: admin\n"
        "Priority: optional\n"
        f"{homepage}"
        f"Description: agent package {deb.bundle.name} for OPMAS\n"
        f"{_wrapped('In the words of its authors: ' + deb.agent.summary)}\n"
        " .\n"
        f" This package carries the agent package {deb.bundle.name} {deb.bundle.version} to the\n"
        " manager of OPMAS on this host, which installs it beside the versions that are\n"
        " there already and can go back to them.\n"
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 78, initial_indent=" ", subsequent_indent=" ")


def _least(specifier: str) -> str:
    """Return the lowest version of OPMAS that the specifier may accept."""
    bounds = [
        Version(each.version.removesuffix(".*"))
        for each in SpecifierSet(specifier)
        if each.operator in _LOWER_BOUNDS
    ]
    return debian_version(str(max([Version(MINIMUM), *bounds])))


def _changelog(deb: _Deb) -> str:
    return (
        f"{deb.package} ({deb.version}) unstable; urgency=medium\n\n"
        f"  * Version {deb.bundle.version}.\n\n"
        f" -- {deb.maintainer}  {formatdate(_date())}\n"
    )


def _copyright(deb: _Deb) -> str:
    license_name = deb.agent.license or "not stated"
    return (
        f"The agent package {deb.bundle.name} is distributed as its authors made it.\n\n"
        f"Copyright {datetime.fromtimestamp(_date(), UTC).year} the authors of {deb.bundle.name}\n"
        f"License: {license_name}\n\n"
        "The wheels in the bundle carry the licences of what they hold in their METADATA.\n"
    )
