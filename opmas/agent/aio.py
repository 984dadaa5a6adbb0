"""The asyncio loop: the author's methods as tasks, side by side; imported only when needed.

The event loop turning is no sign of life: a task that stands still beyond its stall limit stops
the feeding, as in every loop. A plain method in an asyncio agent is called in the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from opmas.agent.life import Ending, Startup
from opmas.agent.steps import ACTIVITY

if TYPE_CHECKING:
    from opmas.agent.runtime import Runtime
    from opmas.agent.steps import Running
    from opmas.agent.wakeup import Wakeup

NEVER = float("inf")
LONGEST_WAIT = 3600.0
# What a running method gets to end by itself before it is cancelled.
STOP_GRACE = 5.0
# What is left to say when everything is done gets this long.
FAREWELL = 0.5
EXTEND_SPARE = 30.0


class AsyncLoop:
    """Carries out an agent with at least one `async def` method."""

    def __init__(self, runtime: Runtime, wakeup: Wakeup) -> None:
        self._rt = runtime
        self._wakeup = wakeup
        self._watched: tuple[int | None, bool] = (None, False)
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> int:
        """Live the agent's life and return its exit code."""
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._live())
        finally:
            # not asyncio.run: it waits for threads of the executor, which may hang for ever
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()

    async def sleep(self, seconds: float) -> bool:
        """Let the calling task wait; return whether it should go on."""
        rt = self._rt
        activity = ACTIVITY.get()
        if activity in ("setup", "teardown"):
            rt.extend(seconds + EXTEND_SPARE)
        was_busy = rt.progress.is_busy(activity)
        if was_busy:
            rt.progress.rest_until(activity, rt.clock() + seconds, rt.stall_limit(activity))
        if activity == "teardown":
            await asyncio.sleep(seconds)
        elif not rt.stopping:
            await self._timed(self._stopped, seconds)
        if was_busy:
            rt.progress.begin(activity, rt.clock(), rt.stall_limit(activity))
        return not rt.stopping

    def breathe(self) -> None:
        """Nothing: the event loop looks after the sockets whenever the task awaits."""

    async def _live(self) -> int:
        rt = self._rt
        loop = asyncio.get_running_loop()
        self._look = asyncio.Event()
        self._stopped = asyncio.Event()
        loop.add_reader(self._wakeup.descriptor, self._woken)
        rt.channel.before_close = self._forget
        if await self._set_up():
            if not rt.stopping:
                rt.ready()
            while not rt.stopping:
                await self._turn(NEVER, dispatching=True)
            await self._finish()
        elif rt.why:
            rt.notifier.status(rt.why)
        await self._say_farewell()
        loop.remove_reader(self._wakeup.descriptor)
        return rt.exit_code

    async def _set_up(self) -> bool:
        rt = self._rt
        startup = Startup(rt)
        while not rt.stopping:
            task = asyncio.ensure_future(self._try_setup(startup))
            task.add_done_callback(lambda _: self._look.set())
            while not task.done() and not rt.stopping:
                await self._turn(NEVER, dispatching=False)
            await self._ended({task})
            if startup.done:
                return True
            if not rt.stopping:
                await self._wait_before_setup(startup.pause)
        return False

    async def _try_setup(self, startup: Startup) -> None:
        with startup:
            await _awaited(self._rt.agent.setup())

    async def _wait_before_setup(self, seconds: float) -> None:
        rt = self._rt
        version = rt.config_version
        rt.extend(seconds + EXTEND_SPARE)
        until = rt.clock() + seconds
        # a new configuration is a reason to try at once
        while rt.clock() < until and not rt.stopping and rt.config_version == version:
            await self._turn(until, dispatching=False)

    async def _turn(self, until: float, *, dispatching: bool) -> None:
        rt = self._rt
        if dispatching:
            for step in rt.agenda.due(rt.clock()):
                task = asyncio.ensure_future(self._perform(rt.steps.begin(step)))
                self._tasks.add(task)
                task.add_done_callback(self._performed)
        now = rt.clock()
        rt.tick(now, dispatching=dispatching)
        self._watch()
        await self._timed(self._look, min(until, rt.next_at(dispatching=dispatching)) - now)
        self._look.clear()
        if rt.stopping:
            self._stopped.set()

    async def _perform(self, running: Running) -> None:
        with running:
            running.result = await _awaited(self._rt.steps.call(running.step))

    def _performed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._look.set()

    async def _finish(self) -> None:
        self._stopped.set()
        with Ending(self._rt):
            await self._ended(self._tasks)
            await _awaited(self._rt.agent.teardown())

    async def _ended(self, tasks: set[asyncio.Task[None]]) -> None:
        """Return when the tasks have ended: by themselves, or cancelled after a grace."""
        self._stopped_if_stopping()
        running = set(tasks)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=STOP_GRACE)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=STOP_GRACE)
        for task in running:
            if task.done() and not task.cancelled():
                task.result()

    def _stopped_if_stopping(self) -> None:
        if self._rt.stopping:
            self._stopped.set()

    async def _timed(self, event: asyncio.Event, seconds: float) -> None:
        seconds = min(max(seconds, 0.0), LONGEST_WAIT)
        if event.is_set():
            await asyncio.sleep(0)  # the other tasks must not starve
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    async def _say_farewell(self) -> None:
        rt = self._rt
        until = rt.clock() + FAREWELL
        rt.reports.tick(rt.clock())
        rt.channel.write(rt.clock())
        while rt.channel.wants_write and rt.link.online and rt.clock() < until:
            self._watch()
            await self._timed(self._look, until - rt.clock())
            self._look.clear()
        rt.channel.close(rt.clock())

    # descriptors

    def _watch(self) -> None:
        """Have the event loop watch what the channel waits for now."""
        loop = asyncio.get_running_loop()
        wanted = (self._rt.channel.descriptor, self._rt.channel.wants_write)
        if wanted == self._watched:
            return
        descriptor, wants_write = wanted
        self._watched = wanted
        if descriptor is None:
            return
        loop.add_reader(descriptor, self._readable)
        if wants_write:
            loop.add_writer(descriptor, self._look.set)
        else:
            loop.remove_writer(descriptor)

    def _forget(self, descriptor: int) -> None:
        """Stop watching a descriptor that is about to be closed."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(descriptor)
        loop.remove_writer(descriptor)
        self._watched = (None, False)

    def _readable(self) -> None:
        self._rt.readable()
        self._look.set()

    def _woken(self) -> None:
        self._wakeup.drain()
        self._look.set()


async def _awaited(result: object) -> object:
    return await result if isinstance(result, Awaitable) else result
