"""All that reads what agents use, and follows from it, made and wired here for the manager."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from opmas.host.meter import Meter
from opmas.manager.control.changemethods import Proposals
from opmas.manager.control.limitmethods import LimitMethods
from opmas.manager.resources.learner import Learner
from opmas.manager.resources.limits import LimitsOf
from opmas.manager.resources.oom import OomKills
from opmas.manager.resources.usage import Usages

if TYPE_CHECKING:
    from opmas.core.documents.settings import Settings
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.changes.changing import Changing
    from opmas.manager.clock import Clock
    from opmas.manager.control.methods import Method
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer
    from opmas.packages.collection import Packages
    from opmas.ports import Units


class Metering:
    """The parts of the manager that usage and limits need."""

    def __init__(  # noqa: PLR0913 -- what usage is of
        self,
        *,
        settings: Settings,
        writer: Writer,
        packages: Packages,
        files: AgentFiles,
        databases: Databases,
        links: AgentLinks,
        units: Units,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._writer = writer
        meter = Meter()
        self.kills = OomKills(needed=not meter.unified)
        self.limits = LimitsOf(packages, files.host_limits)
        self.learner = Learner(settings, writer, databases, self.limits, clock.monotonic)
        self.learner.load()
        self.usages = Usages(
            settings.usage,
            writer,
            links,
            self.limits,
            units,
            meter=meter,
            learner=self.learner,
            clock=clock.monotonic,
        )

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.usages.run(), name="usage")
            group.create_task(self.kills.run(), name="kills for memory")

    def close(self) -> None:
        """Save what is not saved."""
        self.usages.close()

    def methods(self, changing: Changing) -> dict[str, Method]:
        """Return the methods of the control socket that are about limits."""
        delivered = Path(self._settings.packages.delivered_dir)
        proposals = Proposals(self._writer, changing.views, changing.tasks, delivered)
        return LimitMethods(self._writer, self.limits, self.usages, self.learner, proposals).table
