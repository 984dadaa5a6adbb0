"""systemd 252 in memory, as far as the units of agents go: behind the `Units` port.

Every sequence of states, jobs and events here was taken down from the real thing, and
tests/contract/test_units.py holds both to it. A test makes the surprises: `crash`, `exit`,
`admin_stop`, `disconnect` and the sets of units that are `masked`, `missing`, `broken`, `failing`
(unit -> exit status of each start) or `hanging` (a start that waits for `ready`). `runs` is told
of each start before its program runs. Units that do one thing and end are in `oneshots`.
"""

from __future__ import annotations

import asyncio
import signal as signals
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from opmas.core.agent.terms import PROBE_PREFIX, unit_name
from opmas.core.unit.state import UnitState
from opmas.errors import SystemdError
from opmas.ports import Disconnected, JobRemoved, Resynced, UnitChanged, UnitEvent, UnitGone
from tests.fakes.oneshots import Oneshots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

VERSION: Final = "252.39-1~deb12u2"
START_LIMIT: Final = 5
EXIT_CONFIG: Final = 78  # RestartPreventExitStatus= of the template
EXITED, KILLED = 1, 2  # CLD_EXITED, CLD_KILLED
LIMITS: Final = {
    "MemoryMax", "MemoryHigh", "TasksMax", "CPUQuotaPerSecUSec", "CPUWeight", "IOWeight",
}  # fmt: skip
CLEAN_SIGNALS: Final = {signals.SIGTERM, signals.SIGINT, signals.SIGHUP, signals.SIGPIPE}
UP: Final = {"active", "reloading"}
FRESH: Final[dict[str, Any]] = {"result": "success", "exec_main_code": 0, "exec_main_status": 0}


def unit_of(name: str) -> str:
    """Return the unit of an agent's name, or the unit itself."""
    return name if name.endswith(".service") else unit_name(name)


class FakeUnits:
    """The units of agents, with nothing behind them; knobs take an agent's name or a unit."""

    def __init__(self, *, start_takes: float = 0.002, restart_delay: float = 0.02) -> None:
        self.masked: set[str] = set()
        self.missing: set[str] = set()
        self.broken: set[str] = set()
        self.stale: set[str] = set()
        self.hanging: set[str] = set()
        self.failing: dict[str, int] = {}
        self.oneshots = Oneshots(self._put)
        self.runs: Callable[[str], None] = lambda _unit: None
        self.network: dict[str, tuple[int, int]] = {}
        self.limits: dict[str, dict[str, int]] = {}
        self.cleaned: list[tuple[str, tuple[str, ...]]] = []
        self.calls: list[tuple[str, str]] = []
        self.states: dict[str, UnitState] = {}
        self._start_takes = start_takes
        self._restart_delay = restart_delay
        self._starts: defaultdict[str, int] = defaultdict(int)
        self._events: asyncio.Queue[UnitEvent] = asyncio.Queue()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._last_job = 80
        self._last_pid = 1000
        self._is_connected = False

    async def __aenter__(self) -> Self:
        self.reconnect()
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._timers.values():
            timer.cancel()
        await self.oneshots.close()

    # ---- the port ----

    async def start(self, unit: str) -> int:
        """Queue a start and return its job id."""
        self._called("start", unit)
        return self._start(unit)

    async def stop(self, unit: str) -> int:
        """Queue a stop and return its job id."""
        self._called("stop", unit)
        return self._stop(unit)

    async def restart(self, unit: str) -> int:
        """Queue a restart and return its job id."""
        self._called("restart", unit)
        self._check_startable(unit, "restart")
        if self._state(unit).active_state not in UP:
            return self._start(unit)
        job = self._new_job()
        self._soon(unit, lambda: self._go_down(unit, job, lambda: self._run(unit, job)))
        return job

    async def reset_failed(self, unit: str) -> None:
        """Forget the unit's failure and its count of starts."""
        self._called("reset_failed", unit)
        self._starts[unit] = 0
        if self._state(unit).active_state == "failed":
            forgotten = {"result": "success", "n_restarts": 0}
            self._tell(unit, {"active_state": "inactive", "sub_state": "dead", **forgotten})
            self._unload(unit)

    async def kill(self, unit: str, signal: int) -> None:
        """Send a signal to the unit's process."""
        self._called("kill", unit)
        if unit not in self.states:
            raise SystemdError(f'cannot kill "{unit}": not loaded', reason="no-such-unit")
        if self.states[unit].main_pid:
            self.crash(unit, signal)

    async def set_limits(self, unit: str, limits: Mapping[str, int]) -> None:
        """Note the limits."""
        self._called("set_limits", unit)
        for name in limits.keys() - LIMITS:
            raise SystemdError(f'cannot set limits "{unit}": {name} is none', reason="refused")
        self.limits[unit] = {**self.limits.get(unit, {}), **limits}

    async def clean(self, unit: str, what: Sequence[str]) -> None:
        """Note what is deleted."""
        self._called("clean", unit)
        if self._state(unit).active_state not in {"inactive", "failed"}:
            raise SystemdError(f'cannot clean "{unit}": it is not inactive', reason="busy")
        self.cleaned.append((unit, tuple(what)))

    async def needs_reload(self, unit: str) -> bool:
        """Return whether a test said so."""
        self._called("needs_reload", unit)
        return unit in self.stale

    async def network_bytes(self, unit: str) -> tuple[int, int] | None:
        """Return what a test said that systemd counted."""
        self._called("network_bytes", unit)
        return self.network.get(unit)

    async def reload_daemon(self) -> None:
        """Read all unit files anew."""
        self._called("reload_daemon", "")
        self.stale.clear()
        self._resync()

    async def resync(self) -> None:
        """Have all units read afresh."""
        self._called("resync", "")
        self._resync()

    def answer_seconds(self) -> float | None:
        return 0.001

    async def events(self) -> AsyncIterator[UnitEvent]:
        """Yield what happens to the units, without end; for one listener."""
        while True:
            yield await self._events.get()

    # ---- knobs ----

    def crash(self, name: str, signal: int = signals.SIGKILL, result: str = "signal") -> None:
        """Let a signal end the unit's process: also watchdog (SIGABRT), oom-kill."""
        unit = unit_of(name)
        is_clean = signal in CLEAN_SIGNALS and result == "signal"
        self._end(unit, KILLED, signal, "success" if is_clean else result)

    def exit(self, name: str, status: int) -> None:
        """Let the unit's process exit by itself."""
        self._end(unit_of(name), EXITED, status, "exit-code" if status else "success")

    def ready(self, name: str) -> None:
        """Let a hanging start come up."""
        unit = unit_of(name)
        self.hanging.discard(unit)
        self._come_up(unit, self.states[unit].job_id)

    def say(self, name: str, status_text: str) -> None:
        """Let the unit's process send STATUS=."""
        self._tell(unit_of(name), {"status_text": status_text})

    def admin_start(self, name: str) -> int:
        """Start the unit as `systemctl start` does, unknown to the port's caller."""
        return self._start(unit_of(name))

    def admin_stop(self, name: str) -> int:
        """Stop the unit as `systemctl stop` does, unknown to the port's caller."""
        return self._stop(unit_of(name))

    def at_work(self) -> bool:
        """Return whether anything goes on: a job, a start, a stop."""
        now = asyncio.get_running_loop().time()
        return bool(self.oneshots) or any(
            not timer.cancelled() and timer.when() > now for timer in self._timers.values()
        )

    def hang_up(self) -> None:
        """Forget what nobody listened to: its listener is gone."""
        while not self._events.empty():
            self._events.get_nowait()

    def disconnect(self, reason: str = "a test said so") -> None:
        """Lose systemd: calls are refused and what happens is not heard."""
        self._put(Disconnected(reason))
        self._is_connected = False

    def reconnect(self) -> None:
        """Find systemd again."""
        self._is_connected = True
        self._resync()

    # ---- starts ----

    def _start(self, unit: str) -> int:
        self._check_startable(unit, "start")
        if unit.startswith(PROBE_PREFIX):
            return self._start_probe(unit)
        if unit in self.oneshots:
            return self.oneshots.start(unit, self._new_job())
        if unit not in self.states:
            self.stale.discard(unit)  # what is not loaded is read at its start
        state = self._state(unit)
        if state.active_state == "activating" and state.sub_state == "start":
            return state.job_id  # the new job is merged into the one that waits
        job = self._new_job()
        if state.active_state in UP:
            self._soon(unit, lambda: self._nothing_to_do(unit, job))
        elif self._starts[unit] >= START_LIMIT:
            self._soon(unit, lambda: self._hit_limit(unit, job))
        else:
            self._soon(unit, lambda: self._run(unit, job))
        return job

    def _start_probe(self, unit: str) -> int:
        """Run a health check: its states are not told, and `failing` decides."""
        job = self._new_job()
        ended = JobRemoved(unit, job, "failed" if unit in self.failing else "done")
        self._soon(unit, lambda: self._put(ended))
        return job

    def _check_startable(self, unit: str, verb: str) -> None:
        for units, reason, text in (
            (self.missing, "no-such-unit", "not found"),
            (self.masked, "masked", "is masked"),
            (self.broken, "bad-setting", "has a bad unit file setting"),
        ):
            if unit in units:
                raise SystemdError(f'cannot {verb} "{unit}": Unit {unit} {text}', reason=reason)

    def _run(self, unit: str, job: int) -> None:
        self.runs(unit)
        self._starts[unit] += 1
        self._last_pid += 1
        fresh = {**FRESH, "main_pid": self._last_pid, "invocation_id": uuid4().hex, "job_id": job}
        self._tell(
            unit,
            {"active_state": "inactive", "sub_state": "dead", "exec_main_exit_at": 0.0, **fresh},
            {"active_state": "activating", "sub_state": "start"},
        )
        if unit in self.failing:
            self._later(unit, self._start_takes, lambda: self.exit(unit, self.failing[unit]))
        elif unit not in self.hanging:
            self._later(unit, self._start_takes, lambda: self._come_up(unit, job))

    def _come_up(self, unit: str, job: int) -> None:
        self._tell(
            unit,
            {"active_state": "active", "sub_state": "running", "active_enter_at": time.time()},
        )
        self._finish(unit, job, "done")

    def _nothing_to_do(self, unit: str, job: int) -> None:
        self._tell(unit, {"job_id": job})
        self._finish(unit, job, "done")

    def _hit_limit(self, unit: str, job: int) -> None:
        self._tell(unit, {"job_id": job}, {"active_state": "failed", "sub_state": "failed"})
        self._finish(unit, job, "failed")

    # ---- ends ----

    def _end(self, unit: str, code: int, status: int, result: str) -> None:
        job = self.states[unit].job_id
        down = "inactive" if result == "success" else "failed"
        self._cancel(unit)
        is_given_up = result == "success" or (code, status) == (EXITED, EXIT_CONFIG)
        over = self._over(code, status, result)
        end = {**over, "active_state": down, "sub_state": "failed" if down == "failed" else "dead"}
        again = {"active_state": "activating", "sub_state": "auto-restart"}
        if job:  # it was starting: the job ends before the restart is scheduled
            self._tell(unit, end)
            self._finish(unit, job, "done" if result == "success" else "failed")
            self._tell(unit, *([] if is_given_up else [again]))
        else:
            self._tell(unit, end, *([] if is_given_up else [again]))
        if not is_given_up:
            self._later(unit, self._restart_delay, lambda: self._restart(unit))
        elif down == "inactive":
            self._unload(unit)

    def _restart(self, unit: str) -> None:
        job = self._new_job()
        self._tell(unit, {"n_restarts": self.states[unit].n_restarts + 1, "job_id": job})
        if self._starts[unit] >= START_LIMIT:
            self._tell(unit, {"active_state": "inactive", "sub_state": "dead"})
            self._hit_limit(unit, job)
        else:
            self._run(unit, job)

    def _stop(self, unit: str) -> int:
        if unit in self.oneshots:
            return self.oneshots.stop(unit, self._new_job())
        job = self._new_job()
        before = self._state(unit)
        self._cancel(unit)
        if before.active_state == "activating" and before.job_id:
            self._soon(unit, lambda: self._stop_a_start(unit, before.job_id, job))
        elif before.active_state in {*UP, "activating"}:
            self._soon(unit, lambda: self._go_down(unit, job, lambda: self._down(unit, job)))
        else:
            self._soon(unit, lambda: self._down(unit, job))
        return job

    def _stop_a_start(self, unit: str, start_job: int, job: int) -> None:
        self._finish(unit, start_job, "canceled")
        self._go_down(unit, job, lambda: self._down(unit, job))

    def _go_down(self, unit: str, job: int, then: Callable[[], None]) -> None:
        over = self._over(KILLED, signals.SIGTERM, "success")
        stopping = {"active_state": "deactivating", "sub_state": "stop-sigterm"}
        dead = {"active_state": "inactive", "sub_state": "dead"}
        if self.states[unit].main_pid:
            self._tell(unit, {"job_id": job}, stopping, {**over, **dead})
        else:  # it waited for its automatic restart
            self._tell(unit, {"job_id": job}, dead)
        then()

    def _down(self, unit: str, job: int) -> None:
        self._finish(unit, job, "done")
        if self.states[unit].active_state == "inactive":
            self._unload(unit)

    # ---- telling ----

    def _state(self, unit: str) -> UnitState:
        return self.states.get(unit, UnitState(unit))

    def _tell(self, unit: str, *changes: dict[str, Any]) -> None:
        edges = []
        for change in changes:
            before = self._state(unit)
            moved = change.get("active_state", before.active_state) != before.active_state
            now = {"state_change_at": time.time()} if moved or "sub_state" in change else {}
            self.states[unit] = replace(before, **{**change, **now})
            edges.append(self.states[unit])
        if edges:
            self._put(UnitChanged(tuple(edges)))

    def _finish(self, unit: str, job: int, result: str) -> None:
        self._put(JobRemoved(unit, job, result))
        self._tell(unit, {"job_id": 0})

    def _unload(self, unit: str) -> None:
        del self.states[unit]
        self._starts[unit] = 0  # systemd counts starts only of what is loaded
        self._put(UnitGone(unit))

    def _resync(self) -> None:
        self._put(Resynced(tuple(self.states.values()), VERSION, "private"))

    def _put(self, event: UnitEvent) -> None:
        if self._is_connected:
            self._events.put_nowait(event)

    def _called(self, call: str, unit: str) -> None:
        self.calls.append((call, unit))
        if not self._is_connected:
            raise SystemdError(f'cannot {call} "{unit}": systemd cannot be reached')

    def _over(self, code: int, status: int, result: str) -> dict[str, Any]:
        ended = {"exec_main_code": code, "exec_main_status": status, "result": result}
        return {**ended, "main_pid": 0, "exec_main_exit_at": time.time()}

    def _new_job(self) -> int:
        self._last_job += 1
        return self._last_job

    def _soon(self, unit: str, step: Callable[[], None]) -> None:
        self._later(unit, 0.001, step)  # after the answer, as systemd's own

    def _later(self, unit: str, delay: float, step: Callable[[], None]) -> None:
        self._cancel(unit)
        self._timers[unit] = asyncio.get_running_loop().call_later(delay, step)

    def _cancel(self, unit: str) -> None:
        timer = self._timers.pop(unit, None)
        if timer is not None:
            timer.cancel()
