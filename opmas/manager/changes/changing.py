"""Everything that carries changes out, made and wired here for the manager."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.events import Measure, RunTask, Tidy
from opmas.errors import StoreError
from opmas.manager.changes.admission import Admission
from opmas.manager.changes.deliveries import Deliveries
from opmas.manager.changes.hooks import Hooks
from opmas.manager.changes.jobs import Jobs
from opmas.manager.changes.lookout import Lookout
from opmas.manager.changes.store import Store
from opmas.manager.changes.tasks import Tasks
from opmas.manager.clock import rfc3339
from opmas.manager.control.changemethods import ChangeMethods, Proposals
from opmas.manager.control.changeviews import ChangeViews
from opmas.manager.control.packagemethods import PackageMethods
from opmas.store.rows import Query

if TYPE_CHECKING:
    from opmas.core.documents.settings import Settings
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.clock import Clock
    from opmas.manager.control.methods import Method
    from opmas.manager.control.views import Views
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer
    from opmas.manager.unitjobs import UnitJobs
    from opmas.ports import Units


HOUR: Final = timedelta(hours=1)


class Changing:
    """The parts of the manager that changes need."""

    def __init__(  # noqa: PLR0913 -- what changes touch
        self,
        *,
        settings: Settings,
        writer: Writer,
        shelf: Shelf,
        files: AgentFiles,
        databases: Databases,
        units: Units,
        unit_jobs: UnitJobs,
        links: AgentLinks,
        clock: Clock,
    ) -> None:
        state = Path(settings.manager.state_dir)
        self._settings = settings
        self._writer = writer
        self._shelf = shelf
        self._databases = databases
        self._clock = clock
        self.admission = Admission(shelf)
        self.jobs = Jobs(state, unit_jobs)
        self.jobs.forget(0)  # of no change: nobody waits for their results any more
        self.jobs.progressed = lambda: writer.post_step(lambda roster, _now: (roster, ()))
        self.views = ChangeViews(
            writer, databases, self.jobs, clock, self.admission, shelf.packages
        )
        self.lookout = Lookout(state, writer, shelf.packages, links, clock)
        self.lookout.host_limits = files.host_limits
        self.lookout.exits_lately = self._exits_lately
        self.deliveries = Deliveries(settings.packages, writer, shelf, clock)
        shelf.looked = self.deliveries.look
        self.store = Store(settings.packages, writer, shelf, clock)
        self.tasks = Tasks(
            settings=settings,
            writer=writer,
            shelf=shelf,
            jobs=self.jobs,
            hooks=Hooks(files, units, unit_jobs),
            admission=self.admission,
        )

    def _exits_lately(self, name: str) -> int | None:
        """Return how often the agent ended by itself in the last hour; None while nobody knows."""
        database = self._databases.current
        if database is None:
            return None
        since = rfc3339(self._clock.utc() - HOUR)
        kind, subject = "opmas.agent.exited", f"agent/{name}"
        try:
            return len(database.events(Query(since=since, subject=subject, type=kind, limit=1000)))
        except StoreError:
            return None

    def carry_out(self, effect: Measure | RunTask | Tidy) -> None:
        """Carry out an effect of the engine."""
        match effect:
            case Measure(change=id_):
                self.lookout.measure(id_)
            case RunTask():
                self.tasks.run(effect)
            case Tidy(change=id_):
                self.tasks.tidy(id_)

    def methods(self, views: Views) -> dict[str, Method]:
        """Return the methods of the control socket that are about changes and packages."""
        delivered = Path(self._settings.packages.delivered_dir)
        proposals = Proposals(self._writer, self.views, self.tasks, delivered)
        changes = ChangeMethods(
            writer=self._writer,
            shelf=self._shelf,
            views=self.views,
            proposals=proposals,
            admission=self.admission,
            databases=self._databases,
            settings=self._settings,
        )
        packages = PackageMethods(
            settings=self._settings.packages,
            writer=self._writer,
            shelf=self._shelf,
            views=views,
            proposals=proposals,
            changes=changes,
            jobs=self.jobs,
        )
        return {**changes.table, **packages.table}
