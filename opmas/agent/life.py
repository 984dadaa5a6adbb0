"""The two ends of an agent's life: setting up, and tearing down."""

from __future__ import annotations

import logging

from opmas.agent.backoff import Backoff
from opmas.agent.errors import EXIT_BUG, EXIT_FATAL, AgentError, Kind
from opmas.agent.health import Check, Health
from opmas.agent.steps import ACTIVITY

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from types import TracebackType

    from opmas.agent.runtime import Runtime

logger = logging.getLogger("opmas.agent")


class Startup:
    """One try of setup() after the other, each as a context.

    After a try: `done` (go on), or `pause` (seconds until the next one), or the runtime stops.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._rt = runtime
        agent = runtime.agent
        self._backoff = Backoff(agent.retry_delay, agent.retry_delay_max, runtime.jitter)
        self.done = False
        self.pause = 0.0

    def __enter__(self) -> Startup:
        self._token = ACTIVITY.set("setup")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        ACTIVITY.reset(self._token)
        if error is None:
            self.done = True
            self._rt.reports.clear("setup")
            return True
        what = f"{type(self._rt.agent).__name__}.setup() failed: {type(error).__name__}: {error}"
        if isinstance(error, AgentError):
            self._failed(error, what)
        elif isinstance(error, Exception):
            logger.error("%s", what, exc_info=error)
            self._rt.stop(EXIT_BUG, what)
        else:
            return self._ended(error)
        return True

    def _failed(self, error: AgentError, what: str) -> None:
        if error.kind is Kind.FATAL:
            logger.error("%s", what)
            self._rt.stop(EXIT_FATAL, what)
            return
        logger.warning("%s", what)
        check = Check("setup", "degraded", error.code, str(error))
        self._rt.reports.put("setup", Health(checks=[check]))
        if error.kind is Kind.DEGRADE:
            self.done = True
        else:
            self.pause = self._backoff.pause()
            self._rt.notifier.status(f"waiting {self.pause:.0f} s to try again: {error}")

    def _ended(self, error: BaseException) -> bool:
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else EXIT_BUG
            self._rt.stop(code, "it ended itself")
            return True
        return False


class Ending:
    """teardown() as a context: a bug in it makes the exit code 1."""

    def __init__(self, runtime: Runtime) -> None:
        self._rt = runtime

    def __enter__(self) -> Ending:
        if self._rt.exit_code:
            # no STOPPING=1: systemd is to see a service that fails, and its watchdog stays on
            self._rt.notifier.status(self._rt.why)
        else:
            self._rt.notifier.stopping(self._rt.why or "stopping")
        self._rt.workers.stop()
        self._token = ACTIVITY.set("teardown")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        ACTIVITY.reset(self._token)
        if isinstance(error, Exception):
            logger.error("teardown() failed: %s: %s", type(error).__name__, error, exc_info=error)
            self._rt.exit_code = self._rt.exit_code or EXIT_BUG
            return True
        return error is None
