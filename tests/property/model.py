"""A small model of systemd 252 for one unit of the template: enough to play every ending.

The world changes at once; what it tells waits in `told` until the test delivers or loses it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core import events
from tests.builders import CLD_EXITED, CLD_KILLED, unit

if TYPE_CHECKING:
    from opmas.core.unit.state import UnitState

START_LIMIT = 5


class World:
    """One unit as systemd has it, and the signals on their way."""

    def __init__(self) -> None:
        self.state: UnitState | None = None
        self.told: list[events.Event] = []
        self.jobs = 0
        self.starts = 0
        self.exits = 0
        self.slow = 0  # the job of a start that has not come to its end
        self.away = False  # calls are refused

    @property
    def is_up(self) -> bool:
        return self.state is not None and self.state.active_state == "active"

    def start(self, ends: str = "ready") -> int:
        """A start job of anybody's; the program is `ready`, `slow` or `fails` while it starts."""
        if self.slow:
            return self.slow  # merged into the job that is there
        job = self._job()
        if self.is_up:
            self.told.append(events.JobEnded(job, "done"))
            return job
        if self.starts >= START_LIMIT:
            self._become(self._failed(CLD_EXITED, 1, "exit-code"), job_id=0)
            self.told.append(events.JobEnded(job, "failed"))
            return job
        self.starts += 1
        self._become(unit("activating", "start", main_pid=self._pid()), job_id=job)
        if ends == "slow":
            self.slow = job
        elif ends == "fails":
            self._fail_to_start(job, "exit-code")
        else:
            self._ready(job)
        return job

    def goes_on(self, ends: str) -> None:
        """A slow start comes to its end: `ready`, or with the result of the unit."""
        job, self.slow = self.slow, 0
        if job and ends == "ready":
            self._ready(job)
        elif job:
            self._fail_to_start(job, ends)

    def stop(self, *, hangs: bool = False) -> int:
        """A stop job of anybody's; a program that hangs is killed at its timeout."""
        job = self._job()
        if self.slow:
            self.told.append(events.JobEnded(self.slow, "canceled"))
        if self.is_up or self.slow:
            self.slow = 0
            self._become(unit("deactivating", "stop-sigterm"), job_id=job)
            down = self._failed(CLD_KILLED, 9, "timeout") if hangs else unit("inactive", "dead")
            self._become(down, job_id=job)
        elif self.state is not None and self.state.sub_state == "auto-restart":
            self._become(unit("inactive", "dead"), job_id=job)
        self.told.append(events.JobEnded(job, "done"))
        if self.state is None or self.state.active_state != "failed":
            self._unload()
        return job

    def reset_failed(self) -> None:
        self.starts = 0
        if self.state is not None and self.state.active_state == "failed":
            self._unload()

    def exit(self, code: int, status: int) -> None:
        """The main process ends by itself: cleanly, or systemd restarts it, or gives it up."""
        if not self.is_up:
            return
        if code == CLD_EXITED and status == 0:
            self._become(unit("inactive", "dead", exec_main_code=code))
            self._unload()
            return
        result = "exit-code" if code == CLD_EXITED else "signal"
        self._become(self._failed(code, status, result))
        if (code, status) == (CLD_EXITED, 78):
            return
        self._become(unit("activating", "auto-restart"))
        job = self._job()
        if self.starts >= START_LIMIT:
            self._become(self._failed(code, status, result))
            self.told.append(events.JobEnded(job, "failed"))
            return
        self.starts += 1
        self._become(unit("inactive", "dead"), job_id=job)
        self._become(unit("activating", "start"), job_id=job)
        self._become(unit("active", "running", main_pid=self._pid()), job_id=job)
        self.told.append(events.JobEnded(job, "done"))

    def hang(self) -> None:
        self.exit(CLD_KILLED, 6)

    def reboot(self) -> None:
        self.state, self.starts, self.slow = None, 0, 0
        self.told.clear()

    def look(self) -> events.UnitSeen:
        """What a full check sees now."""
        state = self.state
        return events.UnitSeen(state and replace(state, job_id=self.slow))

    def _ready(self, job: int) -> None:
        self._become(unit("active", "running", main_pid=self._pid()), job_id=job)
        self.told.append(events.JobEnded(job, "done"))

    def _fail_to_start(self, job: int, result: str) -> None:
        """The job ends, and systemd tries again by itself until its limit: all slowly no more."""
        killed = result == "timeout"
        if killed:
            self._become(unit("deactivating", "stop-sigterm", result=result), job_id=job)
        end = self._failed(CLD_KILLED if killed else CLD_EXITED, 15 if killed else 1, result)
        self._become(end, job_id=job)
        self.told.append(events.JobEnded(job, "failed"))
        self._become(unit("activating", "auto-restart"))
        again = self._job()
        self.starts = START_LIMIT
        self._become(replace(end, exec_main_exit_at=end.exec_main_exit_at), job_id=again)
        self.told.append(events.JobEnded(again, "failed"))

    def _become(self, state: UnitState, job_id: int = 0) -> None:
        self.state = replace(state, job_id=job_id)
        self.told.append(events.UnitSeen(self.state))
        self.state = replace(self.state, job_id=0)

    def _unload(self) -> None:
        self.state = None
        self.told.append(events.UnitSeen(None))

    def _failed(self, code: int, status: int, result: str) -> UnitState:
        self.exits += 1
        return unit(
            "failed",
            "failed",
            result=result,
            exec_main_code=code,
            exec_main_status=status,
            exec_main_exit_at=float(self.exits),
        )

    def _job(self) -> int:
        self.jobs += 1
        return self.jobs

    def _pid(self) -> int:
        return 1000 + self.starts
