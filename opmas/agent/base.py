"""`BaseAgent`: the class an author fills in.

A subclass writes the methods it needs; the SDK does the rest. Methods declared with `async def`
make it an asyncio agent; without any, a plain loop of one thread carries it.
"""

from __future__ import annotations

from _thread import get_ident

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import Any, NoReturn

    from opmas.agent.health import Health
    from opmas.agent.journal import AgentLog
    from opmas.agent.metrics import Metrics
    from opmas.agent.process import Carried


class BaseAgent:
    """An agent: override what is needed, set what differs."""

    interval = 10.0
    """Seconds from the begin of one run() to the begin of the next."""
    health_interval = 10.0
    """Seconds between two calls of check_health()."""
    metrics_interval = 15.0
    """Seconds between two sets of metrics."""
    stall_after: float | None = None
    """Seconds a method may go without progress(); None: the watchdog's period."""
    retry_delay = 1.0
    """Seconds before the first new try after a `RETRY` error; doubles each time."""
    retry_delay_max = 60.0
    """Seconds between two tries at most."""

    _carried: Carried | None = None

    # to be overridden

    def setup(self) -> Awaitable[None] | None:
        """Get ready: the agent counts as started when this returns."""

    def run(self) -> Awaitable[None] | None:
        """Do one round of work; it is called every `interval` seconds. Or loop with `wait`."""

    def on_event(self, event: dict[str, Any]) -> Awaitable[None] | None:
        """Handle one event that the manager delivers."""

    def check_health(self) -> Awaitable[Health | None] | Health | None:
        """Return how the agent does; None: healthy."""

    def on_config(self, new: Mapping[str, Any]) -> Awaitable[None] | None:
        """Take over a new configuration, or raise `ConfigError` to keep the present one."""

    def teardown(self) -> Awaitable[None] | None:
        """Put things away: the agent is to end."""

    # to be used

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration in force, read-only."""
        return self._runtime.runtime.config

    @property
    def name(self) -> str:
        """The name of this agent."""
        return self._runtime.runtime.name

    @property
    def log(self) -> AgentLog:
        """The agent's log; keywords become fields: `self.log.info("full", mount="/")`."""
        return self._runtime.runtime.log

    @property
    def metrics(self) -> Metrics:
        """The agent's metrics."""
        return self._runtime.runtime.metrics

    @property
    def stopping(self) -> bool:
        """Whether the agent is to end; a loop of one's own asks this."""
        return self._runtime.runtime.stopping

    def stop(self) -> None:
        """End the agent as SIGTERM does; systemd does not start it again by itself."""
        self._runtime.runtime.stop(0, "it ended itself")

    def progress(self, note: str = "") -> None:
        """Say that the calling method or worker gets on; `note` may name another worker.

        In setup() and teardown() it also buys time from systemd, and `note` is shown as status.
        """
        self._runtime.runtime.advance(note)
        if get_ident() == self._runtime.runtime.main_thread:
            self._runtime.loop.breathe()

    def wait(self, seconds: float) -> bool:
        """Wait, while the rest of the agent lives on; return False when the agent is to end."""
        carried = self._runtime
        if get_ident() != carried.runtime.main_thread:
            return carried.runtime.workers.wait_here(seconds)
        wait = getattr(carried.loop, "wait", None)
        if wait is None:
            raise RuntimeError(
                "cannot wait() in an asyncio agent: use `await self.sleep(seconds)`"
            )
        return bool(wait(seconds))

    async def sleep(self, seconds: float) -> bool:
        """Do what `wait` does, in an `async def` method."""
        sleep = getattr(self._runtime.loop, "sleep", None)
        if sleep is None:
            raise RuntimeError("cannot sleep() in a plain agent: use self.wait(seconds)")
        return bool(await sleep(seconds))

    def idle(self) -> Idle:
        """Return a context in which standing still is no stall: waiting for work from outside."""
        return Idle(self._runtime)

    def worker(
        self, name: str, target: Callable[[], object], stall_after: float | None = None
    ) -> None:
        """Run the target in a thread that must call progress() at least every `stall_after`."""
        runtime = self._runtime.runtime
        runtime.workers.start(name, target, stall_after or runtime.stall_limit(name))

    def emit(
        self, event_type: str, /, *, severity: str = "info", message: str = "", **data: Any
    ) -> None:
        """Queue an event for the manager; ValueError when it cannot be sent as it is."""
        runtime = self._runtime.runtime
        runtime.link.event(event_type, severity, message, data)
        if get_ident() != runtime.main_thread:
            runtime.wake()

    @classmethod
    def main(cls) -> NoReturn:
        """Run this agent as the process that this is, and exit."""
        from opmas.agent.process import run_process  # noqa: PLC0415 - base must not need it

        run_process(cls)

    @property
    def _runtime(self) -> Carried:
        if self._carried is None:
            raise RuntimeError(
                f"cannot use this {type(self).__name__} yet: the SDK connects it between"
                " __init__() and setup(); move this to setup()"
            )
        return self._carried


class Idle:
    """Waiting for work from outside, as a context."""

    __slots__ = ("_activity", "_runtime")

    def __init__(self, carried: Carried) -> None:
        self._runtime = carried.runtime
        self._activity = carried.runtime.activity()

    def __enter__(self) -> None:
        self._runtime.progress.rest(self._activity)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._activity:
            runtime = self._runtime
            limit = runtime.stall_limit(self._activity)
            runtime.progress.begin(self._activity, runtime.clock(), limit)
