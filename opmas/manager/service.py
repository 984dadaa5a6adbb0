"""The manager as a service: everything is made and wired here, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.roster import Roster
from opmas.errors import InvalidError
from opmas.manager.agents.files import AgentFiles
from opmas.manager.agents.link import AgentLinks
from opmas.manager.agents.probes import Probes
from opmas.manager.carrier import Carrier
from opmas.manager.changes.changing import Changing
from opmas.manager.changes.jobs import copies
from opmas.manager.changes.shelf import Shelf
from opmas.manager.clock import Clock
from opmas.manager.comeback import Comeback
from opmas.manager.control.healthviews import HealthViews
from opmas.manager.control.history import HistoryMethods
from opmas.manager.control.methods import Methods, Parts
from opmas.manager.control.server import LINE_LIMIT, Control
from opmas.manager.control.views import Views
from opmas.manager.host import HostStatus
from opmas.manager.lastgood import LastGood
from opmas.manager.patience import Patience
from opmas.manager.problems import Problems
from opmas.manager.resources.metering import Metering
from opmas.manager.scenery import Scenery
from opmas.manager.sockets import listen
from opmas.manager.state.boot import BootMark, load_saved
from opmas.manager.state.database import Databases
from opmas.manager.state.eventlog import EventLog
from opmas.manager.state.keeping import Keeper
from opmas.manager.state.saver import Saver
from opmas.manager.state.writer import Writer
from opmas.manager.unitjobs import UnitJobs
from opmas.manager.upkeep import Upkeep
from opmas.manager.watch import Watch
from opmas.rescue.places import Places
from opmas.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.documents.settings import Settings
    from opmas.manager.control.methods import Method
    from opmas.ports import Notifier, Units

logger = logging.getLogger(__name__)

GROUP: Final = "opmas"
FIRST_LOOK: Final = 10.0  # seconds; then the manager serves, and says that systemd is away
AGENT_BACKLOG: Final = 1024  # a thousand agents reconnect at once when the manager comes back


class Manager:
    """The manager of this host's agents."""

    def __init__(self, settings: Settings, units: Units, notifier: Notifier) -> None:
        self._settings = settings
        self._notifier = notifier
        self._clock = Clock()
        state = Path(settings.manager.state_dir)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._databases = Databases(state / "manager.db", self._clock, settings.database.backups)
        self._problems = Problems(self._announce)
        self._status = HostStatus(socket.gethostname(), self._problems, self._clock)
        self._status.systemd_answers = units.answer_seconds
        self._files = AgentFiles(settings)
        self._log = EventLog(self._status.host, lambda: self._databases.current)
        self._mark = BootMark(
            Path(settings.manager.socket).parent / "boot-id", self._status.boot_id
        )
        self._marked = False
        self._looked = asyncio.Event()
        self._stop = asyncio.Event()
        self._early_news: list[tuple[str, dict[str, str]]] = []
        self._writer: Writer | None = None
        with Patience(notifier):
            self._wire(units)
        saver = self.writer.saver
        self.writer.surroundings = Scenery(state, self._clock, lambda: not saver.behind)
        self.comeback = self._make_comeback(units)

    def _wire(self, units: Units) -> None:
        same_boot = self._mark.is_set()
        opened = self._databases.open(self._problems, self._databases.look())
        empty = Roster(
            concurrency=self._settings.start.concurrency,
            policy=self._settings.recovery.policy,
            budget=self._settings.recovery.budget,
        )
        saved = load_saved(
            self._databases, self._files, empty, self._clock, opened=opened, same_boot=same_boot
        )
        saver = Saver(self._databases, saved.records, saved.stamps)
        state = Path(self._settings.manager.state_dir)
        # a new database may not give a number again: a copy of data would be taken for its own
        known = max(saved.roster.last_change, *copies(state), 0)
        roster = replace(saved.roster, last_change=self._databases.last_change(opened, known))
        writer = Writer(roster, saver, self._log, self._problems, self._clock, self._digest)
        self._writer = writer
        roots = self._settings.manager.packages_path
        self.shelf = Shelf(roots, state / "packages", writer, self._databases, self._problems)
        self.links = AgentLinks(writer, self.shelf.packages)
        unit_jobs = UnitJobs(units)
        self.probes = Probes(writer, unit_jobs, self.shelf.packages)
        self.carrier = Carrier(writer, units, self._files, self.links, self.shelf.packages)
        self.changing = Changing(
            settings=self._settings,
            writer=writer,
            shelf=self.shelf,
            files=self._files,
            databases=self._databases,
            units=units,
            unit_jobs=unit_jobs,
            links=self.links,
            clock=self._clock,
        )
        self.carrier.changing = self.changing
        writer.carry_out, writer.wished = self.carrier.carry_out, self.carrier.note
        writer.progressed = self._progressed
        self._log.published = self.links.deliver
        self.watch = Watch(
            writer, units, unit_jobs, self._problems, self._status, self._files,
            same_boot=same_boot,
        )  # fmt: skip
        self.watch.ready = self._looked.set
        self.keeper = Keeper(
            settings=self._settings,
            databases=self._databases,
            writer=writer,
            problems=self._problems,
            log=self._log,
            clock=self._clock,
            same_boot=same_boot,
            adopted=lambda: self.upkeep.hurry(),  # noqa: PLW0108 -- it is made below
        )
        self.upkeep = Upkeep(
            settings=self._settings,
            writer=writer,
            units=units,
            shelf=self.shelf,
            files=self._files,
            keeper=self.keeper,
            problems=self._problems,
            deliveries=self.changing.deliveries,
            store=self.changing.store,
        )
        views = self._made_views(units)
        parts = Parts(
            writer, self._log, self.shelf, views, self._clock, self._status, self._settings,
            self.changing.admission, self.changing.views, self.changing.tasks.preview,
        )  # fmt: skip
        self.control = Control({**Methods(parts).table, **self._methods(views)})
        self._log.load()
        self.keeper.begin(opened, saved)

    def _made_views(self, units: Units) -> Views:
        self.metering = Metering(
            settings=self._settings,
            writer=self.writer,
            packages=self.shelf.packages,
            files=self._files,
            databases=self._databases,
            links=self.links,
            units=units,
            clock=self._clock,
        )
        self.watch.told = self.metering.kills.judged
        packages = self.shelf.packages
        return Views(
            self.writer, packages, self.links, self._files, self._clock,
            metering=self.metering, health=HealthViews(self.links, self.probes, self._clock),
        )  # fmt: skip

    def _methods(self, views: Views) -> dict[str, Method]:
        history = HistoryMethods(self.writer, self._databases, self._clock)
        return {
            **self.changing.methods(views),
            **self.metering.methods(self.changing),
            **history.table,
        }

    async def run(self) -> None:
        """Serve until `stop`, SIGTERM or SIGINT."""
        writer = self.writer
        self.shelf.load()
        self._handle_signals()
        await self.shelf.rescan()
        tasks = [asyncio.create_task(self.watch.run(), name="watch")]
        servers: list[asyncio.AbstractServer] = []
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK):
                    await self._looked.wait()
            self._say_started()
            writer.flush()
            self._progressed()
            self.changing.tasks.sweep()
            servers += [await self._serve_agents(), await self._serve_control()]
            self._notifier.ready()
            parts = {
                "writer": writer.run,
                "upkeep": self.upkeep.run,
                "lookout": self.changing.lookout.run,
                "usage": self.metering.run,
                "comeback": self.comeback.run,
                "stop": self._stopped,
            }
            tasks += [asyncio.create_task(run(), name=name) for name, run in parts.items()]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._notifier.stopping()
        finally:
            for server in servers:  # not as context managers: from Python 3.12 on those
                server.close()  # wait until every agent and caller has hung up
            await self._shut_down(tasks)
        for task in done:
            task.result()  # an error in one part ends the manager: systemd restarts it

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    @property
    def writer(self) -> Writer:
        """The one writer."""
        assert self._writer is not None  # noqa: S101 -- made in the constructor
        return self._writer

    async def _shut_down(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.keeper.close()
        self.probes.close()
        self.metering.close()
        await self.changing.tasks.close()
        self.writer.announce("opmas.manager.stopping", "manager", {"version": VERSION})
        self.writer.flush()
        self.links.close()
        await self.control.close()
        await self.carrier.close()
        self._databases.end()

    async def _stopped(self) -> None:
        await self._stop.wait()
        await self.comeback.stopped()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.upkeep.hurry)

    async def _serve_control(self) -> asyncio.AbstractServer:
        path = Path(self._settings.manager.socket)
        listener = listen(path, 0o660, backlog=128, group=GROUP)
        return await asyncio.start_unix_server(self.control.serve, sock=listener, limit=LINE_LIMIT)

    async def _serve_agents(self) -> asyncio.AbstractServer:
        path = Path(self._settings.manager.agent_socket)
        listener = listen(path, 0o666, backlog=AGENT_BACKLOG)
        loop = asyncio.get_running_loop()
        # asyncio listens once more, with a backlog of its own unless it is told
        return await loop.create_unix_server(
            self.links.protocol, sock=listener, backlog=AGENT_BACKLOG
        )

    def _make_comeback(self, units: Units) -> Comeback:
        """Return what tells of a rescue, and writes down what a next one needs."""
        given = self._settings.manager
        places = Places(
            state=Path(given.state_dir), runtime=Path(given.socket).parent,
            units=Path(given.unit_dir), config=Path("/etc/opmas"),
        )  # fmt: skip
        boot_id = self._status.boot_id
        lastgood = LastGood(places, self.writer, self.shelf, self._clock, boot_id)
        return Comeback(places, self.writer, units, self._problems, lastgood)

    def _digest(self, spec: AgentSpec) -> str:
        package = self.shelf.packages.of(spec)
        if package is None:
            return ""
        try:
            return self._files.digest(spec, package)
        except InvalidError:  # writing its files refuses the start, and says why
            return ""

    def _announce(self, kind: str, data: dict[str, str]) -> None:
        if self._writer is None:  # found while the parts are made: said as soon as they are
            self._early_news.append((kind, data))
        else:
            self._writer.announce(kind, "manager", dict(data))

    def _say_started(self) -> None:
        for kind, data in self._early_news:
            self.writer.announce(kind, "manager", dict(data))
        self.writer.announce("opmas.manager.started", "manager", {"version": VERSION})
        if not self._looked.is_set():
            self._problems.report("systemd-unavailable", "systemd does not answer")

    def _progressed(self) -> None:
        self._notifier.watchdog()
        self.probes.follow()
        self.links.listen()
        self.changing.lookout.follow()
        if self._looked.is_set() and not self._marked:
            self._remember_boot()

    def _remember_boot(self) -> None:
        """Say that all agents were seen in this boot, once what follows from it is saved."""
        self._marked = True
        try:
            self._mark.set()
        except OSError:
            logger.exception("the boot cannot be remembered")
