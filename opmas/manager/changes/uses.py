"""Which versions of a package are in use: what agents run, and what changes may still lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.core.change.ledger import under_way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.core.change.change import Change
    from opmas.core.roster import Roster
    from opmas.packages.collection import Packages


def uses(name: str, roster: Roster, packages: Packages, *, without: int = 0) -> dict[str, str]:
    """Return the versions of the package that must stay, each with who needs it.

    A change needs where it leads to, and where it may go back to; `without` is one to leave out.
    """
    found: dict[str, str] = {}
    for package, version, who in _claims(roster, without):
        if package != name:
            continue
        there = packages.find(package, version)
        found.setdefault(version if there is None else there.version, who)
    return found


def _claims(roster: Roster, without: int) -> Iterator[tuple[str, str, str]]:
    """Yield packages and versions, and who needs them."""
    for agent in roster.agents.values():
        yield agent.spec.package, agent.spec.version, f'agent "{agent.name}" runs it'
    for change in under_way(roster):
        if change.id != without:
            yield from _of_change(change)


def _of_change(change: Change) -> Iterator[tuple[str, str, str]]:
    wants, may = f"change {change.id} wants it", f"change {change.id} may go back to it"
    if change.before is not None:
        yield change.before["package"], change.before.get("version", ""), may
    if change.after is not None:
        yield change.after["package"], change.after.get("version", ""), wants
    elif {"package", "version"} & change.wish.keys():
        package = change.wish.get("package", change.package)
        yield package, change.wish.get("version", ""), wants
