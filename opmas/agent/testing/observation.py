"""What an agent under test says, and waits for what it will say.

Every `wait_…` returns as soon as what it waits for is there (also when it came before), and fails
when the agent ends or the time is up: with what came instead, and the agent's log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from opmas.agent.testing.package import merged
from opmas.agent.testing.story import exit_text, tell
from opmas.agent.testing.values import read_event, read_health, read_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.agent.testing.package import Package
    from opmas.agent.testing.process import Process
    from opmas.agent.testing.stage import Stage
    from opmas.agent.testing.values import Event, Health, Sample

T = TypeVar("T")


class Observation:
    """An agent as it is seen from outside: `process` is its present life."""

    process: Process

    def __init__(self, package: Package, name: str, stage: Stage, within: float) -> None:
        self.package = package
        self.name = name
        self.within = within
        self._stage = stage
        self._own: dict[str, Any] = {}
        self._seen = False  # the test knows how it ended

    # how it is

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return not self.process.has_ended

    @property
    def pid(self) -> int:
        """The ID of its main process."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended: its exit code, negative for a signal; None while it runs."""
        self._seen |= self.process.has_ended
        return self.process.exit_code

    @property
    def log(self) -> str:
        """All that it wrote to standard output and error in this life."""
        with self._stage.reactor.lock:
            return "\n".join(self.process.log)

    @property
    def status(self) -> str:
        """What `systemctl status` would show of it: its last STATUS=."""
        return self.process.unit.status

    @property
    def state(self) -> str:
        """What systemd would show: activating, active, reloading or deactivating."""
        return self.process.unit.state

    @property
    def health(self) -> Health:
        """The newest health that it sent; waits for the first."""
        __tracebackhide__ = True
        return self._wait("no health came", lambda: self.newest_health)

    @property
    def newest_health(self) -> Health | None:
        """The newest health that it sent, None when there was none yet."""
        sent = self._stage.manager.all("health")
        return read_health(sent[-1]) if sent else None

    @property
    def events(self) -> list[Event]:
        """All events that it emitted so far."""
        sent = self._stage.manager.all("event")
        return [read_event(number, params) for number, params in enumerate(sent, 1)]

    @property
    def samples(self) -> list[Sample]:
        """The newest set of metrics that it sent."""
        sent = self._stage.manager.all("metrics")
        return [read_sample(metric) for metric in sent[-1]["metrics"]] if sent else []

    @property
    def refused(self) -> list[str]:
        """Why the manager would have refused what the agent sent."""
        return list(self._stage.manager.refused)

    @property
    def ignored(self) -> list[str]:
        """Why systemd would not have listened to what was notified."""
        return list(self._stage.notify.ignored)

    @property
    def state_directory(self) -> Path:
        """What $STATE_DIRECTORY is to it: kept over a restart."""
        return self._stage.state

    @property
    def runtime_directory(self) -> Path:
        """What $RUNTIME_DIRECTORY is to it."""
        return self._stage.runtime

    @property
    def config(self) -> dict[str, Any]:
        """The whole configuration that it was given last: defaults and what was set."""
        return merged(self.package.defaults, self._own)

    # waiting

    def wait_ready(self) -> None:
        """Return when it is ready; fail when systemd would give its start up."""
        __tracebackhide__ = True
        unit = self.process.unit
        what = f"it was not ready within {self.package.start:g} s and what it asked for"
        ready = {"active", "reloading"}
        self._wait(what, lambda: unit.state in ready or None, lambda: unit.start_by)

    def wait_event(
        self,
        event_type: str,
        /,
        is_so: Callable[[Event], bool] = lambda _: True,
        *,
        after: Event | None = None,
        **data: Any,
    ) -> Event:
        """Return the first event of that type with this data of which `is_so` is true.

        `after` leaves out what came up to an earlier event.
        """
        __tracebackhide__ = True
        first = after.number if after else 0
        wanted = f" with {data}" if data else ""

        def look() -> Event | None:
            for event in self.events[first:]:
                if (
                    event.type == event_type
                    and data.items() <= event.data.items()
                    and is_so(event)
                ):
                    return event
            return None

        return self._wait(f'no event "{event_type}"{wanted} came', look)

    def wait_health(self, status: str, /, *, check: str = "", code: str = "") -> Health:
        """Return the newest health when its status, or that of the named check, is this."""
        __tracebackhide__ = True

        def look() -> Health | None:
            health = self.newest_health
            if health is None:
                return None
            parts = [part for part in health.checks.values() if check in {"", part.name}]
            fits = health.status == status if not check else any(p.status == status for p in parts)
            return health if fits and (not code or any(p.code == code for p in parts)) else None

        of = f' of the check "{check}"' if check else ""
        coded = f' with the code "{code}"' if code else ""
        return self._wait(f'no health "{status}"{of}{coded} came', look)

    def metric(self, name: str, /, **labels: str) -> float:
        """Return the newest value of a metric with these labels; waits for the first."""
        __tracebackhide__ = True
        return self.wait_metric(name, **labels)

    def wait_metric(
        self, name: str, is_so: Callable[[float], bool] = lambda _: True, /, **labels: str
    ) -> float:
        """Return the newest value of a metric with these labels when `is_so` is true of it."""
        __tracebackhide__ = True

        def look() -> float | None:
            for sample in self.samples:
                fits = sample.name == name and labels.items() <= sample.labels.items()
                if fits and is_so(sample.value):
                    return sample.value
            return None

        def what() -> str:
            sent = [s for s in self.samples if s.name == name]
            shown = ", ".join(f"{s.value} {dict(s.labels)}" for s in sent)
            names = sorted({s.name for s in self.samples})
            return f"the metric {name} {labels or ''} did not get so: " + (
                f"it is {shown}" if sent else f"there are {', '.join(names) or 'none'}"
            )

        return self._wait(what, look)

    def wait_log(self, text: str) -> str:
        """Return the first line of its log that has this text in it."""
        __tracebackhide__ = True

        def look() -> str | None:
            return next((line for line in self.process.log if text in line), None)

        return self._wait(f"no line {text!r} was logged", look)

    def wait_status(self, text: str) -> str:
        """Return what `systemctl status` would show of it, when this text is in it."""
        __tracebackhide__ = True
        unit = self.process.unit
        return self._wait(
            f"no status with {text!r} came", lambda: unit.status if text in unit.status else None
        )

    def wait_fed(self) -> None:
        """Return when it feeds its watchdog the next time."""
        __tracebackhide__ = True
        unit, before = self.process.unit, self.process.unit.fed
        self._wait("the watchdog was not fed", lambda: unit.fed > before or None)

    def wait_until(self, is_so: Callable[[], object], what: str) -> None:
        """Return when `is_so` is true of what the agent said; `what` says what that means."""
        __tracebackhide__ = True
        self._wait(f"in vain: {what}", lambda: bool(is_so()) or None)

    def wait_exit(self) -> int:
        """Return its exit code when it ends by itself; negative for a signal."""
        __tracebackhide__ = True
        self._seen = True
        return self._wait("it did not end", lambda: self.process.exit_code)

    # private

    def _wait(
        self,
        what: str | Callable[[], str],
        look: Callable[[], T | None],
        until: Callable[[], float] | None = None,
    ) -> T:
        __tracebackhide__ = True
        process, end = self.process, time.monotonic() + self.within
        found = self._stage.reactor.wait(look, until or (lambda: end), lambda: process.has_ended)
        if found is not None:
            return found
        said = what if isinstance(what, str) else what()
        if process.exit_code is not None:
            self._seen = True
            said += f": it {exit_text(process.exit_code)}"
        elif until is None:
            said += f" within {self.within:g} s"
        return self._fail(said)

    def _fail(self, what: str) -> NoReturn:
        __tracebackhide__ = True
        raise AssertionError(f'agent "{self.name}": {what}\n{tell(self)}')
