"""Whether an agent may be as it is wanted: looked at before anything is changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opmas.core.change.change import Kind
from opmas.core.change.ledger import under_way
from opmas.core.package.needs import missing_grants, needs_of
from opmas.core.package.neighbours import check_neighbours, dependents
from opmas.errors import GrantError, InvalidError, RequestError
from opmas.manager.agents.files import merged_config
from opmas.packages.versions import satisfies
from opmas.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.package.manifest import Manifest
    from opmas.core.roster import Roster
    from opmas.manager.changes.shelf import Shelf
    from opmas.packages.catalogue import Package


class Admission:
    """Checks specifications against their packages and against the other agents."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def check(self, spec: AgentSpec, roster: Roster) -> Package:
        """Return the agent's package, or raise `RequestError` that says what is against it."""
        package = self._shelf.get(spec.package, spec.version)
        check_there_to_stay(spec, roster)
        check_grants(spec, package)
        check_version(package)
        self.check_neighbours(spec, roster)
        await self._check_config(spec, package)
        return package

    def check_neighbours(self, spec: AgentSpec, roster: Roster) -> None:
        """Raise `InvalidError` when a dependency is missing or in a circle, or one conflicts."""
        specs = {**{n: a.spec for n, a in roster.agents.items()}, spec.name: spec}
        check_neighbours(spec.name, specs, self._manifests(specs))

    def dependents(self, name: str, roster: Roster) -> tuple[str, ...]:
        """Return the agents that cannot run without the named one."""
        specs = {n: a.spec for n, a in roster.agents.items()}
        return dependents(name, specs, self._manifests(specs))

    def _manifests(self, specs: Mapping[str, AgentSpec]) -> dict[str, Manifest]:
        packages = self._shelf.packages
        found = {name: packages.of(spec) for name, spec in specs.items()}
        return {name: each.manifest for name, each in found.items() if each is not None}

    async def _check_config(self, spec: AgentSpec, package: Package) -> None:
        check = self._shelf.checker.config_problems
        problems = await asyncio.to_thread(check, package.manifest, merged_config(spec, package))
        if problems:
            raise InvalidError(
                f'cannot use the configuration of agent "{spec.name}": {problems[0]}', problems
            )


def check_there_to_stay(spec: AgentSpec, roster: Roster) -> None:
    """Refuse a version that a change is about to delete."""
    for change in under_way(roster):
        going = {task.params.get("version") for task in change.tasks}
        of_it = change.kind is Kind.REMOVE and change.package == spec.package
        if of_it and spec.version in going:
            raise RequestError(
                f'cannot run package "{spec.package}" {spec.version}: change {change.id}'
                " removes it"
            )


def check_version(package: Package) -> None:
    """Refuse a package that is made for another OPMAS."""
    wanted = package.manifest.opmas
    if wanted and not satisfies(VERSION, wanted):
        raise InvalidError(
            f'cannot run package "{package.name}" {package.version}: it needs opmas {wanted},'
            f" this is {VERSION}",
            (f"opmas: needs {wanted}, this is {VERSION}: upgrade opmas-manager first",),
        )


def check_grants(spec: AgentSpec, package: Package) -> None:
    """Refuse an agent that was not granted what its package asks for, or more than that."""
    missing = missing_grants(package.manifest, spec.grants)
    if missing:
        names = ", ".join(n.name for n in missing)
        raise GrantError(
            f'cannot run package "{package.name}" as agent "{spec.name}": it asks for what was not'
            f" granted: {names}",
            tuple(f"{n.name}: {n.explanation}" for n in missing),
        )
    asked = {n.name for n in needs_of(package.manifest)}
    extra = [g for g in spec.grants if g not in asked]
    if extra:
        raise InvalidError(
            f'cannot grant {extra[0]} to agent "{spec.name}": its package does not ask for it',
            tuple(f"grants: {g}: the package does not ask for it" for g in extra),
        )
