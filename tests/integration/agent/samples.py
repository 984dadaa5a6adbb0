"""Agents for the SDK's integration tests; each shows one behaviour."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from opmas.agent import BaseAgent, Check, ConfigError, DependencyError, FatalError, Health, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Idle(BaseAgent):
    """Has nothing to do."""


class Plain(BaseAgent):
    """Uses everything, in rounds."""

    interval = 0.1
    health_interval = 0.1

    def setup(self) -> None:
        self.handled = self.metrics.counter("handled_events_total", "events handled")
        self.rounds = 0
        self.emit("set.up", message="is set up", config=dict(self.config))

    def run(self) -> None:
        self.rounds += 1
        self.metrics.gauge("rounds", "rounds so far").set(self.rounds)

    def on_event(self, event: dict[str, Any]) -> None:
        self.handled.inc(kind=event["type"])
        self.emit("event.seen", seen=event["type"])

    def check_health(self) -> Health:
        return Health(checks=[Check("colour", str(self.config.get("status", "healthy")))])

    def on_config(self, new: Mapping[str, Any]) -> None:
        if "bad" in new:
            raise ConfigError("bad: is not wanted")
        self.emit("config.seen", before=dict(self.config), after=dict(new))

    def teardown(self) -> None:
        self.emit("torn.down", rounds=self.rounds)


class OwnLoop(BaseAgent):
    """run() loops by itself; the rest lives on in wait()."""

    def run(self) -> None:
        while self.wait(0.05):
            self.emit("turned", colour=self.config.get("colour", ""))

    def on_event(self, event: dict[str, Any]) -> None:
        self.emit("event.seen", seen=event["type"])


class StuckRun(BaseAgent):
    """Its second round hangs."""

    interval = 0.1
    rounds = 0

    def run(self) -> None:
        self.rounds += 1
        if self.rounds == 2:
            time.sleep(60)


class LongRound(BaseAgent):
    """One round takes longer than the watchdog's period, and says that it gets on."""

    def run(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not self.stopping:
            time.sleep(0.05)
            self.progress()


class Worker(BaseAgent):
    """Its worker hangs when told so; the loop turns on."""

    interval = 0.1

    def setup(self) -> None:
        self.worker("poller", self.poll, stall_after=0.5)

    def run(self) -> None:
        """Turn."""

    def poll(self) -> None:
        while not self.config.get("stuck"):
            self.progress("poller")
            time.sleep(0.05)
        time.sleep(60)


class PatientWorker(BaseAgent):
    """Its worker waits for work that does not come."""

    def setup(self) -> None:
        self.worker("poller", self.poll, stall_after=0.3)

    def poll(self) -> None:
        with self.idle():
            time.sleep(2)
        while self.wait(1):
            self.progress()


class BrokenWorker(BaseAgent):
    """Its worker has a bug."""

    def setup(self) -> None:
        self.worker("poller", [].pop)


class AsyncPlain(BaseAgent):
    """As `Plain`, in asyncio."""

    interval = 0.1
    health_interval = 0.1

    async def setup(self) -> None:
        await self.sleep(0.01)
        self.emit("set.up", message="is set up", config=dict(self.config))

    async def run(self) -> None:
        while await self.sleep(0.05):
            self.metrics.counter("rounds_total").inc()

    async def on_event(self, event: dict[str, Any]) -> None:
        self.emit("event.seen", seen=event["type"])

    async def check_health(self) -> Health:
        return Health(checks=[Check("colour", str(self.config.get("status", "healthy")))])

    async def on_config(self, new: Mapping[str, Any]) -> None:
        if "bad" in new:
            raise ConfigError("bad: is not wanted")

    async def teardown(self) -> None:
        self.emit("torn.down")


class AsyncStuckRun(BaseAgent):
    """Its run() waits for ever while the event loop turns."""

    interval = 0.1

    async def run(self) -> None:
        await asyncio.Event().wait()


class AsyncStuckHealth(BaseAgent):
    """Its check_health() waits for ever while run() gets on."""

    async def run(self) -> None:
        while await self.sleep(0.05):
            self.progress()

    async def check_health(self) -> Health:
        await asyncio.Event().wait()
        return Health()


class AsyncIdle(BaseAgent):
    """Its run() waits for work that does not come."""

    async def run(self) -> None:
        with self.idle():
            await asyncio.Event().wait()


class AsyncThread(BaseAgent):
    """A thread of the executor hangs when the agent is to end."""

    async def run(self) -> None:
        await asyncio.to_thread(time.sleep, 60)


class Failing(BaseAgent):
    """Raises what its configuration names, in the method that it names."""

    interval = 0.05
    retry_delay = 0.05
    retry_delay_max = 0.1
    tries = 0

    def setup(self) -> None:
        self.fail("setup")

    def run(self) -> None:
        self.tries += 1
        self.fail("run")
        self.emit("round.done", tries=self.tries)

    def teardown(self) -> None:
        self.fail("teardown")

    def fail(self, where: str) -> None:
        if self.config.get("where") != where or self.tries > self.config.get("times", 1000):
            return
        kind = self.config["raise"]
        if kind == "bug":
            raise ZeroDivisionError("a bug")
        if kind == "exit":
            sys.exit(7)
        if kind == "degrade":
            raise DependencyError("the database is slow", kind=Kind.DEGRADE)
        error = {"config": ConfigError, "fatal": FatalError, "dependency": DependencyError}[kind]
        raise error("the database is away")


class SlowSetup(BaseAgent):
    """Takes its time to start and says so."""

    def setup(self) -> None:
        self.progress("reading the index")
        self.wait(0.3)
        self.progress("done")


class Confused(BaseAgent):
    """Hides a coroutine in a plain method."""

    def run(self) -> None:
        return self.later()  # type: ignore[return-value]  # the mistake it is there for

    async def later(self) -> None:
        """Be never awaited."""


class WaitsInAsync(BaseAgent):
    """Uses the plain wait in asyncio."""

    async def run(self) -> None:
        self.wait(1)


class EndsItself(BaseAgent):
    """Ends itself, cleanly."""

    def run(self) -> None:
        self.stop()
