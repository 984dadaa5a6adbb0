"""How one step is carried out, and what its end means: retry, degrade, stop, or go on."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from types import MappingProxyType

from opmas.agent.agenda import Step
from opmas.agent.backoff import Backoff
from opmas.agent.errors import EXIT_BUG, EXIT_FATAL, AgentError, ConfigError, Kind
from opmas.agent.health import Check, Health

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from types import TracebackType

    from opmas.agent.link import Offer
    from opmas.agent.runtime import Runtime

logger = logging.getLogger("opmas.agent")

# What the running code belongs to: a step, a worker, "setup" or "teardown". Each thread and each
# task has its own.
ACTIVITY: ContextVar[str] = ContextVar("activity", default="")


class Steps:
    """Begins steps, calls the author's methods and judges how they ended."""

    def __init__(self, runtime: Runtime) -> None:
        self._rt = runtime
        agent = runtime.agent
        self._backoffs = {
            step: Backoff(agent.retry_delay, agent.retry_delay_max, runtime.jitter)
            for step in (Step.RUN, Step.EVENT)
        }
        self._seconds = runtime.metrics.histogram(
            "opmas_agent_step_seconds", "how long each call of an agent's method took", "seconds"
        )

    def plan(self, now: float) -> None:
        """Have the agent's steps begin: it is set up."""
        for step in (Step.HEALTH, Step.RUN):
            if self.has(step):
                self._want(step, now)
        if self._rt.agenda.events:
            self._want(Step.EVENT, now)

    def has(self, step: Step) -> bool:
        """Return whether the author wrote the step's method."""
        method = getattr(type(self._rt.agent), step.value)
        return getattr(method, "__module__", "") != "opmas.agent.base"

    def begin(self, step: Step) -> Running:
        """Return the step as a context to call it in."""
        rt = self._rt
        now = rt.clock()
        rt.agenda.begin(step, now, rt.stall_limit(step.value))
        if step is Step.CONFIG:
            rt.notifier.reloading()
        rt.feed(now)
        return Running(self, step, now)

    def call(self, step: Step) -> object:
        """Call the author's method and return what it gave: a value or an awaitable."""
        agent = self._rt.agent
        if step is Step.RUN:
            return agent.run()
        if step is Step.HEALTH:
            return agent.check_health()
        if step is Step.EVENT:
            return agent.on_event(self._rt.agenda.events[0])
        return agent.on_config(MappingProxyType(self._rt.agenda.offers[0].config))

    def ended(self, running: Running, error: BaseException | None) -> bool:
        """Judge the end of a step; return whether the error is dealt with."""
        now = self._rt.clock()
        step = running.step
        self._rt.agenda.end(step)
        self._seconds.observe(now - running.began_at, step=step.value)
        if error is None and step is Step.HEALTH and not running.is_health():
            given = type(running.result).__name__
            error = TypeError(f"returned {given}, must be a Health or None")
        if error is None:
            self._done(running, now)
        elif isinstance(error, AgentError):
            self._failed(step, error, now)
        elif isinstance(error, SystemExit):
            self._rt.stop(
                error.code if isinstance(error.code, int) else EXIT_BUG, "it ended itself"
            )
        elif isinstance(error, Exception):
            self._broken(step, error, now)
        else:
            return False  # a cancelled task, an interrupt: not the author's
        self._rt.feed(now)
        return True

    def _done(self, running: Running, now: float) -> None:
        step, agent = running.step, self._rt.agent
        if step is Step.CONFIG:
            self._accept(self._rt.agenda.offers.popleft(), now)
        elif step is Step.HEALTH:
            health = running.result if isinstance(running.result, Health) else Health()
            self._rt.reports.put(step.value, health)
            self._want(step, now + agent.health_interval)
        elif step is Step.EVENT:
            self._rt.progress.done(now)
            self._well(step)
            self._next_event(now)
        else:
            self._rt.progress.done(now)
            self._well(step)
            self._want(step, max(now, running.began_at + agent.interval))

    def _failed(self, step: Step, error: AgentError, now: float) -> None:
        agent = self._rt.agent
        if step is Step.CONFIG and (
            error.kind is not Kind.FATAL or isinstance(error, ConfigError)
        ):
            self._veto(error, now)
            return
        if error.kind is Kind.FATAL:
            logger.error("%s() failed: %s: %s", step.value, type(error).__name__, error)
            self._rt.stop(EXIT_FATAL, f"{type(error).__name__}: {error}")
            return
        logger.warning("%s() failed: %s: %s", step.value, type(error).__name__, error)
        check = Check(step.value, "degraded", error.code, str(error))
        self._rt.reports.put(step.value, Health(checks=[check]))
        if step is Step.HEALTH:
            self._want(step, now + agent.health_interval)
        elif error.kind is Kind.RETRY:
            self._want(step, now + self._backoffs[step].pause())
        elif step is Step.EVENT:
            self._next_event(now)
        else:
            self._want(step, now + agent.interval)

    def _broken(self, step: Step, error: Exception, now: float) -> None:
        what = f"{step.value}() failed: {type(error).__name__}: {error}"
        logger.error("%s", what, exc_info=error)
        if step is Step.CONFIG:
            self._veto(error, now)
        elif step is Step.HEALTH:
            check = Check(step.value, "unhealthy", "health-check-broken", what)
            self._rt.reports.put(step.value, Health(checks=[check]))
            self._want(step, now + self._rt.agent.health_interval)
        else:
            self._rt.stop(EXIT_BUG, what)

    def _well(self, step: Step) -> None:
        if self._backoffs[step].failures:
            logger.info("%s() works again", step.value)
        self._backoffs[step].reset()
        self._rt.reports.clear(step.value)

    def _next_event(self, now: float) -> None:
        self._rt.agenda.events.popleft()
        if self._rt.agenda.events:
            self._want(Step.EVENT, now)

    def _accept(self, offer: Offer, now: float) -> None:
        self._rt.take_config(offer)
        logger.info("configuration %s applied", offer.version)
        if self._rt.agenda.is_wanted(Step.RUN):
            # what run() could not reach may be elsewhere now, and the interval may be shorter
            waits = 0.0 if self._backoffs[Step.RUN].failures else self._rt.agent.interval
            self._rt.agenda.want_sooner(Step.RUN, now + waits)
        self._after_config(now)

    def _veto(self, error: Exception, now: float) -> None:
        offer = self._rt.agenda.offers.popleft()
        logger.warning("configuration %s refused: %s", offer.version, error)
        self._rt.refuse_config(offer, str(error))
        self._after_config(now)

    def _after_config(self, now: float) -> None:
        self._rt.reports.ready(now)
        self._rt.reports.resend_metrics(now)
        if self._rt.agenda.offers:
            self._want(Step.CONFIG, now)

    def _want(self, step: Step, at: float) -> None:
        self._rt.agenda.want(step, at, self._rt.stall_limit(step.value))


class Running:
    """One call of a step, as a context: `result` is set inside, its end is judged outside."""

    __slots__ = ("_steps", "_token", "began_at", "result", "step")

    def __init__(self, steps: Steps, step: Step, now: float) -> None:
        self._steps = steps
        self.step = step
        self.began_at = now
        self.result: object = None

    def is_health(self) -> bool:
        """Return whether the result is what check_health() may return."""
        return self.result is None or isinstance(self.result, Health)

    def __enter__(self) -> Running:
        self._token = ACTIVITY.set(self.step.value)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        ACTIVITY.reset(self._token)
        return self._steps.ended(self, error)
