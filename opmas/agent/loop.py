"""The plain loop: one thread, poll(2), the author's methods one after the other.

A method that hangs hangs the loop, and with it the watchdog's feeding: that is the point. While
run() waits with `wait`, the other methods are called; while another method waits, none is.
"""

from __future__ import annotations

import math
import select

from opmas.agent.agenda import Step
from opmas.agent.life import Ending, Startup
from opmas.agent.steps import ACTIVITY

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from opmas.agent.runtime import Runtime
    from opmas.agent.wakeup import Wakeup

NEVER = float("inf")
LONGEST_POLL = 3600.0
# How often progress() looks after the manager's socket: a round of an hour still sends metrics.
BREATH_EVERY = 0.25
# What is left to say when everything is done gets this long.
FAREWELL = 0.5
# A wait in setup() buys this much more than it lasts.
EXTEND_SPARE = 30.0


class PlainLoop:
    """Carries out an agent whose methods are plain functions."""

    def __init__(self, runtime: Runtime, wakeup: Wakeup) -> None:
        self._rt = runtime
        self._wakeup = wakeup
        self._breath_at = 0.0

    def run(self) -> int:
        """Live the agent's life and return its exit code."""
        rt = self._rt
        if self._set_up():
            if not rt.stopping:
                rt.ready()
            while not rt.stopping:
                self._turn(NEVER, dispatching=True)
            with Ending(rt):
                _plain(rt.agent.teardown())
        elif rt.why:
            rt.notifier.status(rt.why)
        self._say_farewell()
        return rt.exit_code

    def wait(self, seconds: float) -> bool:
        """Turn until the time is over or the agent is to stop; return whether to go on."""
        rt = self._rt
        activity = ACTIVITY.get()
        if activity in ("setup", "teardown"):
            rt.extend(seconds + EXTEND_SPARE)
        until = rt.clock() + seconds
        was_busy = rt.progress.is_busy(activity)
        rt.progress.rest(activity)
        # at least one turn: a loop around wait(0) must not starve the rest
        self._turn(until, dispatching=activity == Step.RUN.value)
        while rt.clock() < until and (activity == "teardown" or not rt.stopping):
            self._turn(until, dispatching=activity == Step.RUN.value)
        if was_busy:
            rt.progress.begin(activity, rt.clock(), rt.stall_limit(activity))
        return not rt.stopping

    def breathe(self) -> None:
        """Look after the sockets in between, without calling the author's methods."""
        now = self._rt.clock()
        if now >= self._breath_at:
            self._breath_at = now + BREATH_EVERY
            self._turn(now, dispatching=False)

    def _set_up(self) -> bool:
        rt = self._rt
        startup = Startup(rt)
        while not rt.stopping:
            with startup:
                _plain(rt.agent.setup())
            if startup.done:
                return True
            if not rt.stopping:
                self._wait_before_setup(startup.pause)
        return False

    def _wait_before_setup(self, seconds: float) -> None:
        rt = self._rt
        version = rt.config_version
        rt.extend(seconds + EXTEND_SPARE)
        until = rt.clock() + seconds
        # a new configuration is a reason to try at once
        while rt.clock() < until and not rt.stopping and rt.config_version == version:
            self._turn(until, dispatching=False)

    def _turn(self, until: float, *, dispatching: bool) -> None:
        rt = self._rt
        if dispatching:
            for step in rt.agenda.due(rt.clock()):
                if rt.stopping:
                    return
                with rt.steps.begin(step) as running:
                    running.result = _plain(rt.steps.call(step))
        now = rt.clock()
        rt.tick(now, dispatching=dispatching)
        if rt.stopping:
            until = min(until, now + BREATH_EVERY)
        self._poll(min(until, rt.next_at(dispatching=dispatching)) - now)

    def _poll(self, timeout: float) -> None:
        rt = self._rt
        poll = select.poll()
        poll.register(self._wakeup.descriptor, select.POLLIN)
        manager = rt.channel.descriptor
        if manager is not None:
            wants = select.POLLOUT if rt.channel.wants_write else 0
            poll.register(manager, select.POLLIN | wants)
        seconds = min(max(timeout, 0.0), LONGEST_POLL)
        for descriptor, happened in poll.poll(math.ceil(seconds * 1000)):
            if descriptor == self._wakeup.descriptor:
                self._wakeup.drain()
            elif happened & ~select.POLLOUT:
                rt.readable()
            else:
                rt.channel.write(rt.clock())

    def _say_farewell(self) -> None:
        rt = self._rt
        until = rt.clock() + FAREWELL
        rt.reports.tick(rt.clock())
        rt.channel.write(rt.clock())
        while rt.channel.wants_write and rt.link.online and rt.clock() < until:
            self._poll(until - rt.clock())
        rt.channel.close(rt.clock())


def _plain(result: object) -> object:
    if hasattr(result, "__await__"):
        raise TypeError(
            "a method of a plain agent returned an awaitable: declare the method itself with"
            " `async def`, so that the agent runs in asyncio"
        )
    return result
