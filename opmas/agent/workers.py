"""The author's threads: each a daemon, each watched by its own progress."""

from __future__ import annotations

import logging
import threading

from opmas.agent.backoff import Backoff
from opmas.agent.errors import EXIT_BUG, EXIT_FATAL, AgentError, Kind
from opmas.agent.health import Check, Health
from opmas.agent.steps import ACTIVITY

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.agent.runtime import Runtime

logger = logging.getLogger("opmas.agent")


class Workers:
    """The threads of one agent, by name."""

    def __init__(self, runtime: Runtime) -> None:
        self._rt = runtime
        self._limits: dict[str, float] = {}
        self._troubled: set[str] = set()
        self._stopped = threading.Event()

    def stall_limit(self, name: str) -> float | None:
        """Return the worker's own limit, or None when there is no such worker."""
        return self._limits.get(name)

    def start(self, name: str, target: Callable[[], object], stall_after: float) -> None:
        """Run the target in a thread of its own until it returns or the agent ends."""
        if name in self._limits:
            raise ValueError(f"cannot start worker {name!r}: there is one of that name")
        self._limits[name] = stall_after
        self._rt.progress.begin(name, self._rt.clock(), stall_after)
        thread = threading.Thread(target=self._work, args=(name, target), name=name, daemon=True)
        thread.start()

    def stop(self) -> None:
        """Wake the workers that wait."""
        self._stopped.set()

    def wait_here(self, seconds: float) -> bool:
        """Let the calling thread wait; return whether it should go on."""
        activity = ACTIVITY.get()
        was_busy = self._rt.progress.is_busy(activity)
        self._rt.progress.rest(activity)
        stopped = self._stopped.wait(seconds)
        if was_busy:
            limit = self._rt.stall_limit(activity)
            self._rt.progress.begin(activity, self._rt.clock(), limit)
        return not stopped

    def well(self, name: str) -> None:
        """Note that a worker that had trouble gets on again."""
        if name in self._troubled:
            self._troubled.discard(name)
            self._rt.reports.clear(f"worker {name}")

    def _work(self, name: str, target: Callable[[], object]) -> None:
        ACTIVITY.set(name)
        agent = self._rt.agent
        backoff = Backoff(agent.retry_delay, agent.retry_delay_max, self._rt.jitter)
        try:
            while not self._stopped.is_set():
                self._rt.progress.begin(name, self._rt.clock(), self._limits[name])
                try:
                    target()
                except AgentError as error:
                    if error.kind is Kind.FATAL:
                        raise
                    self._note_trouble(name, error)
                    self.wait_here(backoff.pause())
                else:
                    break
        except BaseException as error:  # noqa: BLE001 - a thread's end must not go unseen
            self._note_end(name, error)
        finally:
            self._rt.progress.rest(name)
            del self._limits[name]

    def _note_trouble(self, name: str, error: AgentError) -> None:
        logger.warning("worker %s failed: %s: %s", name, type(error).__name__, error)
        check = Check(f"worker {name}", "degraded", error.code, str(error))
        self._rt.reports.put(f"worker {name}", Health(checks=[check]))
        self._troubled.add(name)
        self._rt.wake()

    def _note_end(self, name: str, error: BaseException) -> None:
        what = f"worker {name} failed: {type(error).__name__}: {error}"
        if isinstance(error, AgentError):
            logger.error("%s", what)
            self._rt.stop(EXIT_FATAL, what)
        else:
            logger.error("%s", what, exc_info=error)
            self._rt.stop(EXIT_BUG, what)
