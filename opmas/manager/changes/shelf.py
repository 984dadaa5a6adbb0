"""The packages that are there now, and what to do when they come, change or go."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.core.agent.ties import Ties
from opmas.core.documents.fields import nearest
from opmas.core.events import PackageSeen, Respecified
from opmas.core.recovery.policy import NO_RECOVERY, Recovery
from opmas.errors import BackendError, StoreError, UnknownPackageError, UnknownVersionError
from opmas.packages.catalogue import MANIFEST, Package, Refusal, scan
from opmas.packages.checker import ConfigChecker
from opmas.packages.collection import Packages
from opmas.store.rows import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opmas.manager.problems import Problems
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer

logger = logging.getLogger(__name__)


class Shelf:
    """Holds the packages; `packages` is one for all who look, changed in place.

    `withdrawn` are installed versions that do not count: their Debian package was removed.
    """

    def __init__(
        self,
        roots: Sequence[str],
        store: Path,
        writer: Writer,
        databases: Databases,
        problems: Problems,
    ) -> None:
        self.packages = Packages()
        self.refused: tuple[Refusal, ...] = ()
        self.withdrawn: tuple[tuple[str, str], ...] = ()
        self.checker = ConfigChecker()
        self.looked: Callable[[], None] = lambda: None
        self._roots = roots
        self._store = store
        self._writer = writer
        self._databases = databases
        self._problems = problems
        self._known: dict[str, tuple[str, str]] = {}  # name -> (version, digest), as announced
        self._signature: object = None
        self._scanning = asyncio.Lock()

    def load(self) -> None:
        """Read which packages were known when the manager last ran."""
        if self._databases.current is not None:
            self._known = self._databases.current.packages()

    def get(self, name: str, version: str = "") -> Package:
        """Return that version of the package, or raise which of the two is unknown."""
        package = self.packages.find(name, version)
        if package is not None:
            return package
        if name in self.packages:
            there = ", ".join(each.version for each in self.packages.versions(name))
            raise UnknownVersionError(
                f'package "{name}" is not here in version {version}: there is {there};'
                f" `opmas package install {name}={version}` looks for it"
            )
        hint = nearest(name, self.packages) or f" (`opmas package install {name}`)"
        raise UnknownPackageError(f'no package is named "{name}"{hint}')

    async def rescan_when_changed(self) -> None:
        """Look again when a directory or manifest was touched: the net below dpkg's trigger."""
        if _signature(self._roots, self._store) != self._signature:
            await self.rescan()

    async def rescan(self) -> dict[str, Any]:
        """Look which packages are there, and return what is new since the last look."""
        async with self._scanning:
            self._signature = _signature(self._roots, self._store)
            try:
                found = await asyncio.to_thread(scan, self._roots, self._store)
                packages = list(found.packages)
                refused = [*found.refused, *await self._check_schemas(packages)]
            except BackendError as error:
                self._problems.report("packages-unreadable", error.message)
                return {"added": [], "changed": [], "removed": [], "refused": []}
            self._problems.clear("packages-unreadable")
            self._announce_refused(refused)
            self.packages.exchange(packages)
            self.refused, self.withdrawn = tuple(refused), found.withdrawn
            news = self._announce()
            self.looked()
            return {**news, "refused": [_refusal(r) for r in refused]}

    async def _check_schemas(self, packages: list[Package]) -> list[Refusal]:
        """Take out each new package whose defaults do not fit its own schema."""
        refused = []
        held = {(p.directory, p.digest) for p in self.packages.all()}
        for package in list(packages):
            if (package.directory, package.digest) in held:
                continue
            problems = await asyncio.to_thread(self.checker.manifest_problems, package.manifest)
            if problems:
                packages.remove(package)
                refused.append(Refusal(f"{package.directory}/{MANIFEST}", problems))
        return refused

    def _announce(self) -> dict[str, list[str]]:
        now = {name: _state(self.packages.versions(name)) for name in self.packages}
        was = self._known
        news = {
            "added": sorted(now.keys() - was.keys()),
            "changed": sorted(n for n in now.keys() & was.keys() if now[n] != was[n]),
            "removed": sorted(was.keys() - now.keys()),
        }
        for kind, names in news.items():
            for name in names:
                version = (now.get(name) or was[name])[0]
                self._writer.announce(
                    f"opmas.package.{kind}", f"package/{name}", {"version": version}
                )
        ties, policies = self._ties(), self._policies()
        self._writer.post_step(
            lambda roster, _now: (replace(roster, ties=ties, policies=policies), ())
        )
        for agent in self._writer.roster.agents.values():
            package = self.packages.of(agent.spec)
            self._writer.post(agent.name, PackageSeen(package is not None))
            if package is not None and agent.vitals.package not in {"", package.digest}:
                # dpkg brought another than the one that it may have failed with
                self._writer.post(agent.name, Respecified())
        if now != was:
            self._remember(now)
        return news

    def _ties(self) -> dict[tuple[str, str], Ties]:
        """Return what agents need of others, for each version and where none is named."""
        found = {}
        for package in self.packages.all():
            manifest = package.manifest
            after = (*manifest.wants, *manifest.after)
            ties = Ties(manifest.requires, after, manifest.traits, package.digest)
            found[package.name, package.version] = ties
            if self.packages.find(package.name) is package:
                found[package.name, ""] = ties
        return found

    def _policies(self) -> dict[tuple[str, str], Recovery]:
        """Return what packages say of the recovery of their agents, as with ties."""
        found = {}
        for package in self.packages.all():
            if package.manifest.recovery == NO_RECOVERY:
                continue
            found[package.name, package.version] = package.manifest.recovery
            if self.packages.find(package.name) is package:
                found[package.name, ""] = package.manifest.recovery
        return found

    def _remember(self, now: dict[str, tuple[str, str]]) -> None:
        self._known = now
        database = self._databases.current
        try:
            if database is not None:
                database.save(Batch(packages=now))
        except StoreError as error:  # announced again after a restart, nothing worse
            logger.warning("the packages cannot be saved: %s", error.message)

    def _announce_refused(self, refused: list[Refusal]) -> None:
        for refusal in refused:
            if refusal not in self.refused:
                name = Path(refusal.path).parent.name
                self._writer.announce(
                    "opmas.package.refused", f"package/{name}", _refusal(refusal)
                )


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {"path": refusal.path, "problems": list(refusal.problems)}


def _state(versions: Sequence[Package]) -> tuple[str, str]:
    """Return the newest version, and what changes with any of them."""
    digests = "".join(sorted(package.digest for package in versions))
    if len(versions) > 1:
        digests = hashlib.sha256(digests.encode()).hexdigest()[:16]
    return versions[0].version, digests


def _signature(roots: Sequence[str], store: Path) -> object:
    found = []
    places = [(Path(root), f"*/{MANIFEST}") for root in roots]
    for root, pattern in [*places, (store, f"[!.]*/*/{MANIFEST}")]:
        for path in (root, *sorted(root.glob(pattern))):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_ino))
    return found
