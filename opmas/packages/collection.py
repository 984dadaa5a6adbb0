"""The packages of this host, each in one version or in several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.errors import InvalidError
from opmas.packages.versions import is_same, newest, normal, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opmas.core.agent.terms import AgentSpec
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
        self.exchanges = 0  # counts them: what was worked out before may be of others
        self.exchange(found)

    def exchange(self, found: Iterable[Package]) -> None:
        """Hold these packages from now on; the first of the host's own of a name wins."""
        self.exchanges += 1
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
        """Return that version; without one the host's own, else the newest installed one.

        1.0 and 1.0.0 are one version to PEP 440, and two directories: the spelling decides first.
        Whoever names a version means an installed one; the host's own is run by naming none.
        """
        own = self._own.get(name)
        installed = self._installed.get(name, {})
        if not version:
            return own or installed.get(newest(installed))
        found = installed.get(version) or installed.get(_normal(version))
        if found is not None:
            return found
        if own is not None and own.version == version:
            return own
        same = (p for v, p in installed.items() if is_same(v, version))
        otherwise = own if own is not None and is_same(own.version, version) else None
        return next(same, otherwise)

    def is_back(self, before: AgentSpec, after: AgentSpec) -> bool:
        """Return whether it is an older version of the same package, which is on the host."""
        was, will = self.version_of(before), self.version_of(after)
        if before.package != after.package or not was or not will:
            return False
        return bool(order(will) < order(was))

    def version_of(self, spec: AgentSpec) -> str:
        """Return which version the agent runs, or is to run when that is not on the host."""
        found = self.of(spec)
        return spec.version if found is None else found.version

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


def named(package: Package) -> str:
    """Return what an agent names to run the package: nothing for the host's own version."""
    return "" if package.receipt is None else package.version


def _normal(version: str) -> str:
    try:
        return normal(version)
    except InvalidError:  # a version of somebody's own directory
        return version
