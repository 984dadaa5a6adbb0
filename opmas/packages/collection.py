"""The packages of this host, each in one version or in several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.packages.versions import is_same, newest, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opmas.core.agent import AgentSpec
    from opmas.packages.catalogue import Package


class Packages:
    """One mapping for all who look; `exchange` changes it in place.

    The host's *own* version of a package is that of a Debian package or a plain directory: there
    is one, and an agent that names no version runs it. *Installed* versions came as bundles: each
    agent names its own.
    """

    def __init__(self, found: Iterable[Package] = ()) -> None:
        self._own: dict[str, Package] = {}
        self._installed: dict[str, dict[str, Package]] = {}
        self.exchange(found)

    def exchange(self, found: Iterable[Package]) -> None:
        """Hold these packages from now on; the first of the host's own of a name wins."""
        self._own.clear()
        self._installed.clear()
        for package in found:
            if package.receipt is None:
                self._own.setdefault(package.name, package)
            else:
                versions = self._installed.setdefault(package.name, {})
                versions[package.version] = package

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in order."""
        return iter(sorted({*self._own, *self._installed}))

    def __len__(self) -> int:
        """Return how many names there are."""
        return len({*self._own, *self._installed})

    def __contains__(self, name: object) -> bool:
        """Return whether there is any version of that name."""
        return name in self._own or name in self._installed

    def of(self, spec: AgentSpec) -> Package | None:
        """Return what the agent runs, or None when it is not on the host."""
        return self.find(spec.package, spec.version)

    def find(self, name: str, version: str = "") -> Package | None:
        """Return that version; without one the host's own, else the newest installed one."""
        own = self._own.get(name)
        installed = self._installed.get(name, {})
        if not version:
            return own or installed.get(newest(installed))
        if own is not None and is_same(own.version, version):
            return own
        found = next((v for v in installed if is_same(v, version)), None)
        return None if found is None else installed[found]

    def own(self, name: str) -> Package | None:
        """Return the host's own version, or None."""
        return self._own.get(name)

    def versions(self, name: str) -> list[Package]:
        """Return all versions of that name, the newest first."""
        own = self._own.get(name)
        found = [*([own] if own else []), *self._installed.get(name, {}).values()]
        return sorted(found, key=lambda package: order(package.version), reverse=True)

    def all(self) -> list[Package]:
        """Return every version of every package."""
        return [package for name in self for package in self.versions(name)]
