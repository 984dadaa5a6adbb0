"""One agent in its process: the state that both loops share, and everything but the waiting.

The loops (`loop`, `aio`) wait for descriptors and times and call the author's methods; what is to
be called, what its end means, what is sent and when is decided here and in the modules below.
"""

from __future__ import annotations

import logging
import os
import time
from _thread import get_ident
from types import MappingProxyType

from opmas.agent.agenda import Agenda, Step
from opmas.agent.channel import Channel
from opmas.agent.errors import EXIT_OK, ConfigError
from opmas.agent.figures import update_figures
from opmas.agent.health import Check, Health
from opmas.agent.journal import AgentLog
from opmas.agent.link import Delivery, Link, Message, Offer, Pace, Welcome
from opmas.agent.metrics import Metrics
from opmas.agent.notify import Notifier
from opmas.agent.progress import Progress
from opmas.agent.reports import Reports
from opmas.agent.settings import SOCKET, Settings, read_settings
from opmas.agent.steps import ACTIVITY, Steps
from opmas.agent.watchdog import Watchdog, watchdog_period
from opmas.agent.workers import Workers
from opmas.version import VERSION

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from opmas.agent.base import BaseAgent

logger = logging.getLogger("opmas.agent")

# Without a watchdog nobody is killed, but a standstill is still said.
STALL_WITHOUT_WATCHDOG = 30.0
EXTEND_BY = 30.0  # what one progress() while starting or stopping buys
EXTEND_EVERY = 1.0
STALLED_LOOK = 0.25
NEVER = float("inf")


class Runtime:
    """The parts of one running agent and how they hang together."""

    def __init__(
        self,
        agent: BaseAgent,
        settings: Settings,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.agent = agent
        self.clock = clock
        self.environ = environ
        self.name = settings.agent or type(agent).__name__.lower()
        self.config: Mapping[str, Any] = MappingProxyType(settings.config)
        self.config_version = settings.version
        self._refused: tuple[int | None, str] | None = None
        self.log = AgentLog(logging.getLogger(type(agent).__module__), {})
        self.metrics = Metrics()
        self.notifier = Notifier()
        self.watchdog = Watchdog(watchdog_period(environ, os.getpid()))
        self.progress = Progress()
        self.agenda = Agenda(self.progress)
        self.link = Link(VERSION)
        socket_path = environ.get("OPMAS_AGENT_SOCKET", SOCKET)
        self.channel = Channel(socket_path, self.link, self.jitter)
        self.reports = Reports(self.link, self.notifier, self.progress, self._samples)
        self.steps = Steps(self)
        self.workers = Workers(self)
        self.wake: Callable[[], None] = lambda: None  # set by the process: ends the loop's waiting
        self.main_thread = get_ident()
        self.is_ready = self.stopping = self.reload_wanted = False
        self.exit_code = EXIT_OK
        self.why = ""  # why it stops, for STATUS=
        self._watch_at = 0.0
        self._stalled: list[str] = []
        self._extended_at = float("-inf")
        self._problem = ""

    @staticmethod
    def jitter() -> float:
        """Return a random number in [0, 1): `random` would import hashlib."""
        return int.from_bytes(os.urandom(2), "big") / 65536

    # life

    def ready(self) -> None:
        """Tell systemd that the agent is up and plan its work."""
        now = self.clock()
        self.is_ready = True
        self.reports.metrics_interval = self.agent.metrics_interval
        self.reports.ready(now)
        self.steps.plan(now)

    def stop(self, code: int = EXIT_OK, why: str = "") -> None:
        """Have the agent end; the first reason decides the exit code.

        Called in signal handlers and threads as well: it takes no lock.
        """
        if not self.stopping:
            self.exit_code, self.why = code, why
        self.stopping = True
        self.wake()

    def stall_limit(self, activity: str) -> float:
        """Return how long the activity may go without progress."""
        own = self.workers.stall_limit(activity) or self.agent.stall_after
        return own or self.watchdog.period or STALL_WITHOUT_WATCHDOG

    # the loop's turn

    def tick(self, now: float, *, dispatching: bool) -> None:
        """Do what is due besides the author's steps; `dispatching`: steps are begun when due."""
        self.channel.tick(now, self.config_version)
        self._note_problem()
        if self.reload_wanted:
            self.reload_wanted = False
            self._reload(now)
        late = self.progress.late(now) if dispatching else []
        self.feed(now, late)
        self.reports.tick(now)
        self.channel.write(now)

    def next_at(self, *, dispatching: bool) -> float:
        """Return when the next turn is due without anything happening outside."""
        steps_at = self.agenda.next_at() if dispatching else NEVER
        return min(steps_at, self._watch_at, self.reports.next_at(), self.channel.next_at())

    def readable(self) -> None:
        """Take what the manager sent."""
        now = self.clock()
        for message in self.channel.read(now):
            self._take(message, now)

    def feed(self, now: float, late: list[str] | None = None) -> None:
        """Feed the watchdog if everything is alive; have it act when something stands still."""
        if not self.is_ready:
            self._watch_at = NEVER  # systemd.service(5): the watchdog starts with READY=1
            return
        stalled = self.progress.stuck(now) + (late or [])
        if stalled:
            if not self._stalled:
                what = "work stands still: " + "; ".join(stalled)
                logger.error("%s", what)
                self.notifier.stalled(what)
                check = Check("progress", "unhealthy", "stalled", what)
                self.reports.put("progress", Health(checks=[check]))
            self._watch_at = now + STALLED_LOOK
        else:
            if self._stalled:
                logger.info("work goes on")
                self.reports.clear("progress")
            if self.watchdog.is_due(now):
                self.watchdog.fed(now)
                self.notifier.alive()
            self._watch_at = min(self.watchdog.next_at(), self.progress.next_deadline())
        self._stalled = stalled

    # what the author's code calls

    @staticmethod
    def activity() -> str:
        """Return what the calling code belongs to."""
        return ACTIVITY.get()

    def advance(self, note: str) -> None:
        """Note progress of the calling activity, or of the worker that `note` names."""
        now = self.clock()
        activity = note if self.workers.stall_limit(note) else ACTIVITY.get()
        self.progress.advance(activity, now)
        self.progress.done(now)
        self.workers.well(activity)
        if get_ident() != self.main_thread:
            return
        if activity in ("setup", "teardown"):
            self.extend(EXTEND_BY, note)
        self.feed(now)

    def extend(self, seconds: float, note: str = "") -> None:
        """Ask systemd for more time to start or stop, at most once a second."""
        now = self.clock()
        if note:
            self.notifier.status(note)
        if now >= self._extended_at + EXTEND_EVERY:
            self._extended_at = now
            self.notifier.extend(seconds)

    # configuration

    def take_config(self, offer: Offer) -> None:
        """Put the offered configuration in force and answer."""
        self.config = MappingProxyType(offer.config)
        self.config_version = offer.version
        self._refused = None
        self.reports.clear("config")
        self._answer(offer, "")

    def refuse_config(self, offer: Offer, why: str) -> None:
        """Keep the configuration in force, and say so."""
        self._refused = (offer.version, why)
        message = f"configuration {offer.version} was refused: {why}"
        check = Check("config", "degraded", "config-refused", message)
        self.reports.put("config", Health(checks=[check]))
        self._answer(offer, why)

    def _answer(self, offer: Offer, why: str) -> None:
        if offer.request is None:
            return
        result: dict[str, Any] = {"version": offer.version, "applied": not why}
        if why:
            result["error"] = why
        self.link.answer(offer.request, result)

    def _offered(self, offer: Offer, now: float) -> None:
        if not self.is_ready:
            self.take_config(offer)  # setup() has yet to look at it, or looks again
        elif offer.config == dict(self.config) and not self.agenda.offers:
            self.take_config(offer)
        elif self._refused is not None and offer.version == self._refused[0]:
            self._answer(offer, self._refused[1])
        else:
            self.agenda.offers.append(offer)
            if not self.agenda.is_wanted(Step.CONFIG):
                self.agenda.want(Step.CONFIG, now, self.stall_limit(Step.CONFIG.value))

    def _reload(self, now: float) -> None:
        try:
            settings = read_settings(self.environ)
        except ConfigError as error:
            logger.warning("configuration not reloaded: %s", error)
            return
        self._offered(Offer(settings.version, settings.config), now)

    # the manager

    def _take(self, message: Message, now: float) -> None:
        if isinstance(message, Welcome):
            logger.info("connected to the manager as agent %s", message.agent)
            self.reports.pace = 0.0  # this manager says so itself if it has many to listen to
            self.reports.resend(now)
            if message.version != self.config_version:
                self._offered(Offer(message.version, message.config), now)
        elif isinstance(message, Offer):
            self._offered(message, now)
        elif isinstance(message, Pace):
            self.reports.pace = message.seconds
        elif isinstance(message, Delivery) and self.steps.has(Step.EVENT):
            self.agenda.add_event(message.event)
            if self.is_ready and not self.agenda.is_wanted(Step.EVENT):
                self.agenda.want(Step.EVENT, now, self.stall_limit(Step.EVENT.value))

    def _note_problem(self) -> None:
        # a sentence per change, not one per try
        if self.channel.problem != self._problem:
            self._problem = self.channel.problem
            if self._problem:
                logger.info("manager away, the work goes on: %s", self._problem)

    def _samples(self) -> list[dict[str, Any]]:
        update_figures(self.metrics)
        dropped = self.metrics.counter(
            "opmas_agent_events_dropped_total", "events that found no room in a queue"
        )
        dropped.set_total(self.link.events_dropped, queue="out")
        dropped.set_total(self.agenda.events_dropped, queue="in")
        return self.metrics.samples()
