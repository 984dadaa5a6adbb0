"""The process of one agent: signals, logs, the choice of the loop, the exit code."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading

from opmas.agent.errors import EXIT_BUG, EXIT_FATAL, AgentError, Kind
from opmas.agent.journal import log_to
from opmas.agent.loop import PlainLoop
from opmas.agent.notify import Notifier
from opmas.agent.runtime import Runtime
from opmas.agent.settings import Settings, read_settings
from opmas.agent.wakeup import Wakeup

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from opmas.agent.aio import AsyncLoop
    from opmas.agent.base import BaseAgent

logger = logging.getLogger("opmas.agent")

METHODS = ("setup", "run", "on_event", "check_health", "on_config", "teardown")
_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect itself costs 1.5 MB


class Carried:
    """What an agent is connected to while it runs."""

    __slots__ = ("loop", "runtime")

    def __init__(self, runtime: Runtime, loop: PlainLoop | AsyncLoop) -> None:
        self.runtime = runtime
        self.loop = loop


def run_process(cls: type[BaseAgent]) -> NoReturn:
    """Run an agent of that class as this process, and exit with its code."""
    # a hung agent ends by the watchdog's SIGABRT: the journal then shows where each thread stood
    faulthandler.enable()
    code = run_agent(cls, os.environ)
    # A thread that hangs (an executor's) would keep the interpreter from ending.
    if any(not thread.daemon for thread in threading.enumerate()[1:]):
        logging.shutdown()
        os._exit(code)
    sys.exit(code)


def run_agent(cls: type[BaseAgent], environ: Mapping[str, str]) -> int:
    """Run an agent of that class until it ends and return its exit code."""
    try:
        settings = read_settings(environ)
    except AgentError as error:
        log_to(cls.__name__.lower(), environ)
        return refuse_start(f"{cls.__name__} cannot start: {error}")
    log_to(settings.agent or cls.__name__.lower(), environ)
    try:
        agent = cls()
    except AgentError as error:
        what = f"{cls.__name__} cannot start: {type(error).__name__}: {error}"
        return refuse_start(what, EXIT_FATAL if error.kind is Kind.FATAL else EXIT_BUG)
    except Exception as error:  # noqa: BLE001 - whatever the author raises ends here
        what = f"{cls.__name__} cannot start: {type(error).__name__}: {error}"
        return refuse_start(what, EXIT_BUG, error)
    return _carry(agent, settings, environ)


def refuse_start(what: str, code: int = EXIT_FATAL, bug: Exception | None = None) -> int:
    """Log why the agent cannot start, show it as status, and return the exit code."""
    logger.error("%s", what, exc_info=bug)
    notifier = Notifier()
    notifier.status(what)
    notifier.close()
    return code


def is_async(cls: type[BaseAgent]) -> bool:
    """Return whether one of the methods an author writes is a coroutine function."""
    codes = (getattr(getattr(cls, name), "__code__", None) for name in METHODS)
    return any(code is not None and code.co_flags & _CO_COROUTINE for code in codes)


def _carry(agent: BaseAgent, settings: Settings, environ: Mapping[str, str]) -> int:
    runtime = Runtime(agent, settings, environ)
    wakeup = Wakeup()
    runtime.wake = wakeup.wake
    loop = _loop(type(agent))(runtime, wakeup)
    agent._carried = Carried(runtime, loop)  # noqa: SLF001 - the author's namespace stays free

    def reload(*_: object) -> None:
        runtime.reload_wanted = True

    def stop(*_: object) -> None:
        runtime.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)
    try:
        return loop.run()
    finally:
        runtime.wake = lambda: None
        wakeup.close()


def _loop(cls: type[BaseAgent]) -> type[PlainLoop | AsyncLoop]:
    if not is_async(cls):
        return PlainLoop
    from opmas.agent.aio import AsyncLoop  # noqa: PLC0415 - asyncio costs 8 MB: only who uses it

    return AsyncLoop
