"""`AgentUnderTest`: an agent that runs as under systemd, and what a test does to it."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from opmas.agent.testing.commands import run_check, run_hook
from opmas.agent.testing.errors import CommandFailedError, ConfigRefusedError, SetupError
from opmas.agent.testing.observation import Observation
from opmas.agent.testing.package import config_problems, merged
from opmas.agent.testing.process import Process
from opmas.agent.testing.stage import Stage, command
from opmas.agent.testing.story import exit_text
from opmas.agent.testing.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from opmas.agent.testing.package import Package

WITHIN: Final = 20.0
REPORT_EVERY: Final = 0.2
# systemd counts an end by these as a clean one (systemd.service(5), SuccessExitStatus=)
CLEAN: Final = {0, *(-number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))}


class AgentUnderTest(Observation):
    """An agent of the package, as a context that starts it and leaves nothing of it.

    `config` is merged into the package's defaults and held against its schema. `within` is how
    many seconds a wait may take. `report_every` are the seconds between two reports of health and
    metrics of an agent whose class sets none; None leaves the SDK's. `watchdog` replaces the
    package's, 0 turns it off. `environ` is added to what the agent's unit gives it.
    """

    def __init__(  # noqa: PLR0913 - each is a setting that a test may want, by its name
        self,
        package: Package,
        directory: Path,
        *,
        name: str = "",
        config: Mapping[str, Any] | None = None,
        manager: bool = True,
        watchdog: float | None = None,
        report_every: float | None = REPORT_EVERY,
        environ: Mapping[str, str] | None = None,
        within: float = WITHIN,
    ) -> None:
        name = name or package.name
        super().__init__(package, name, Stage(name, directory), within)
        self._has_manager = manager
        self._own = dict(config or {})
        self._version = 1
        self._watchdog = package.watchdog if watchdog is None else watchdog
        self._command = command(package, report_every)
        self._environ = dict(environ or {})
        self._delivered = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._check_config(self._own)
        with ExitStack() as stack:
            stack.enter_context(self._stage)
            self._stage.manager.is_over = lambda: self.process.has_ended
            if self._has_manager:
                stack.enter_context(self._stage.manager)
            self._write_config()
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the agent; fail when it crashed unseen or cannot be stopped."""
        __tracebackhide__ = True
        with self._stack:
            seen, was_running = self._seen, self.is_running
            in_time = self._stopped() if was_running else True
            if not in_time:
                self._fail(f"it did not end within {self.package.stop:g} s of SIGTERM")
            code = self.process.exit_code
            if not seen and code is not None and code not in CLEAN:
                when = "when it was stopped" if was_running else "and the test did not expect it"
                self._fail(f"it {exit_text(code)} {when}")

    # acting

    def configure(self, changes: Mapping[str, Any], /) -> None:
        """Change these values of its configuration, or raise `ConfigRefusedError`.

        As `opmas agent update NAME --set`: what is not named stays. It comes to an agent of the
        SDK while it runs; an exec agent is started again.
        """
        __tracebackhide__ = True
        own = merged(self._own, changes)
        self._check_config(own)
        if self.package.runtime == "python" and not self._has_manager:
            raise SetupError("cannot configure the agent: its manager is away")
        self._own, self._version = own, self._version + 1
        self._write_config()
        if self.package.runtime != "python":
            self.restart()
            return
        manager = self._stage.manager
        self._wait("it did not say hello to the manager", lambda: manager.greeted or None)
        answer = manager.offer_config(self._version, self.config, self.within)
        if answer.get("applied") is not True:
            raise ConfigRefusedError(str(answer.get("error") or "it gave no reason"), "agent")

    def deliver(self, event_type: str, /, subject: str = "", **data: Any) -> None:
        """Deliver an event, as the manager does of the types that the package subscribes to."""
        __tracebackhide__ = True
        if event_type not in self.package.subscribes:
            raise SetupError(
                f'cannot deliver "{event_type}": the package does not subscribe to it'
                " (events.subscribes in agent.yaml)"
            )
        manager = self._stage.manager
        self._wait("it did not say hello to the manager", lambda: manager.greeted or None)
        self._delivered += 1
        event = {
            "id": str(self._delivered),
            "sequence": self._delivered,
            "type": event_type,
            "subject": subject or f"agent/{self.name}",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "data": data,
        }
        manager.deliver(event)

    def check(self) -> str:
        """Run the health check of an exec agent, as the manager does each period.

        Returns what it said; raises `CommandFailedError` when the agent is not healthy.
        """
        return run_check(self.package, self._environment())

    def run_hook(self, name: str, *, from_version: str = "", to_version: str = "") -> str:
        """Run a hook of the package and return what it said, or raise `CommandFailedError`.

        The versions are those of a migration. `check` is run before each start by itself, and
        `pre_stop` before each stop.
        """
        versions = {"OPMAS_FROM_VERSION": from_version, "OPMAS_TO_VERSION": to_version}
        given = versions if name == "migrate" else {}
        return run_hook(self.package, name, self._environment() | given)

    @contextmanager
    def without_manager(self) -> Iterator[None]:
        """Let the manager be away for a while, as when it is killed; then it is back."""
        self._stage.manager.__exit__()
        self._has_manager = False
        yield
        self._stage.manager.__enter__()
        self._has_manager = True

    def signal(self, number: int) -> None:
        """Send its main process a signal."""
        self.process.signal(number)

    def stop(self) -> int:
        """Stop it as systemd does and return its exit code; fail when systemd would kill it."""
        __tracebackhide__ = True
        if not self._stopped():
            self._fail(f"it did not end within {self.package.stop:g} s of SIGTERM")
        self._seen = True
        return self.process.exit_code or 0

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL)."""
        self._seen = True
        self.process.kill()

    def restart(self) -> None:
        """Stop it if it runs, start it again and wait until it is ready."""
        __tracebackhide__ = True
        if self.is_running:
            self.stop()
        self._start()
        self.wait_ready()

    # private

    def _start(self) -> None:
        self._seen = False
        if "check" in self.package.hooks:
            self.run_hook("check")
        unit = Unit(
            notifies=self.package.notifies,
            watchdog=self._watchdog,
            start=self.package.start,
            now=time.monotonic(),
        )
        process = Process(self._stage.reactor, self._stage.notify, unit, self._stage.manager.drain)
        self.process = process
        process.start(self._command, self._environment())

    def _environment(self) -> dict[str, str]:
        return self._stage.environ(self._watchdog, self._environ)

    def _stopped(self) -> bool:
        """Stop it; False when it had to be killed."""
        process = self.process
        if "pre_stop" in self.package.hooks:
            with suppress(CommandFailedError):  # as systemd does: its exit code changes nothing
                self.run_hook("pre_stop")
        process.unit.stopping(time.monotonic(), self.package.stop)
        process.signal(signal.SIGTERM)
        ended = self._stage.reactor.wait(
            lambda: process.has_ended or None, lambda: process.unit.stop_by
        )
        if not ended:
            self._seen = True
            process.kill()
        return bool(ended)

    def _check_config(self, own: Mapping[str, Any]) -> None:
        problems = config_problems(self.package, merged(self.package.defaults, own))
        if problems:
            raise ConfigRefusedError("; ".join(problems), "schema")

    def _write_config(self) -> None:
        self._stage.write_config(self.package.name, self._version, self.config)
