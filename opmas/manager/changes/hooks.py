"""Migrations of an agent's data, each one run of `opmas-hook@NAME.service`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import hook_unit
from opmas.errors import MigrationError, SystemdError

if TYPE_CHECKING:
    from opmas.core.agent.terms import AgentSpec
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.unitjobs import UnitJobs
    from opmas.packages.catalogue import Package
    from opmas.ports import Units

GRACE: Final = 30.0  # seconds beyond the migration's own timeout until its job must have ended
STOPS_WITHIN: Final = 60.0


class Hooks:
    """Runs and stops the migrations of agents that are down."""

    def __init__(self, files: AgentFiles, units: Units, jobs: UnitJobs) -> None:
        self._files = files
        self._units = units
        self._jobs = jobs

    async def migrate(
        self, spec: AgentSpec, package: Package, *, from_version: str, to_version: str
    ) -> None:
        """Run the package's migration to its end, or raise `MigrationError`."""
        unit = hook_unit(spec.name)
        self._files.write_hook(spec, package, from_version, to_version)
        try:
            result = await self._jobs.run(unit, package.manifest.timeouts.migrate + GRACE)
        except TimeoutError:
            result = "timeout"
        finally:
            self._files.remove_hook(spec.name)
        if result != "done":
            raise MigrationError(
                f'cannot migrate the data of agent "{spec.name}" from {from_version} to'
                f" {to_version}: the migration of {package.name} {package.version} {result}",
                (f"see journalctl -u {unit}",),
            )

    async def stop(self, name: str) -> None:
        """End a migration that may still run, and return when it is down."""
        unit = hook_unit(name)
        try:
            await self._jobs.stop(unit, STOPS_WITHIN)
        except SystemdError as error:
            if error.reason != "no-such-unit":
                raise
        with contextlib.suppress(SystemdError):  # only tidiness
            await self._units.reset_failed(unit)
        self._files.remove_hook(name)
