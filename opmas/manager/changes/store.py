"""The versions that nobody needs any more: deleted, but for the newest ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from opmas.core.change import engine, plan
from opmas.core.change.change import Kind
from opmas.core.change.ledger import under_way
from opmas.manager.changes.deliveries import bundles
from opmas.manager.changes.uses import uses

if TYPE_CHECKING:
    from opmas.core.documents.settings import PackagesSection
    from opmas.core.roster import Roster
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.clock import Clock
    from opmas.manager.state.writer import Writer
    from opmas.packages.catalogue import Package

AUTHOR: Final = "manager"
GRACE: Final = timedelta(hours=1)


class Store:
    """Plans the removal of versions that no agent runs and no change wants."""

    def __init__(
        self, settings: PackagesSection, writer: Writer, shelf: Shelf, clock: Clock
    ) -> None:
        self._clock = clock
        self._keep = settings.keep
        self._delivered = settings.delivered_dir
        self._writer = writer
        self._shelf = shelf

    def sweep(self) -> None:
        """Plan what is to go: all but the newest few, and what was withdrawn."""
        packages = self._shelf.packages
        names = {*packages, *(name for name, _ in self._shelf.withdrawn)}
        for name in sorted(names):
            installed = [p for p in packages.versions(name) if p.receipt is not None]
            spare = [p.version for p in installed[self._keep :] if not self._is_new(p)]
            gone = [version for each, version in self._shelf.withdrawn if each == name]
            needed = self._needed(name)
            old = [v for v in (*spare, *gone) if v not in needed]
            if old and not self._is_removed(name):
                self._propose(name, old)

    def _is_new(self, package: Package) -> bool:
        """Return whether it was installed lately: an old version may be wanted, and used soon."""
        installed_at = package.receipt.installed_at if package.receipt else ""
        try:
            age = self._clock.utc() - datetime.fromisoformat(installed_at)
        except (ValueError, TypeError):  # no instant, or one without its zone
            return False
        return age < GRACE

    def _needed(self, name: str) -> set[str]:
        delivered = {version for _, version in bundles(self._delivered, name)}
        return delivered | uses(name, self._writer.roster, self._shelf.packages).keys()

    def _is_removed(self, name: str) -> bool:
        roster = self._writer.roster
        return any(c.package == name and c.kind is Kind.REMOVE for c in under_way(roster))

    def _propose(self, name: str, versions: list[str]) -> None:
        change = plan.remove_package(name, versions, None, author=AUTHOR)
        change = replace(change, automatic=True)

        def step(roster: Roster, _now: float) -> Any:
            return engine.propose(roster, change)

        self._writer.post_step(step)
