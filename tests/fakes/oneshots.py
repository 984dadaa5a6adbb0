"""Units that do one thing and end, such as `opmas-package@17-2.service`, for `FakeUnits`.

What a unit does is a coroutine function that a test gives for its prefix; it gets the unit, and
returns the result of its job.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opmas.ports import JobRemoved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Oneshot = Callable[[str], Awaitable[str]]


class Oneshots:
    """Runs them; `tell` hears of the end of each job. A start of one that runs joins its run."""

    def __init__(self, tell: Callable[[JobRemoved], None]) -> None:
        self.table: dict[str, Oneshot] = {}
        self._tell = tell
        self._running: dict[str, tuple[int, asyncio.Task[None]]] = {}

    def __contains__(self, unit: str) -> bool:
        return any(unit.startswith(prefix) for prefix in self.table)

    def __bool__(self) -> bool:
        return bool(self._running)

    def start(self, unit: str, job: int) -> int:
        """Run the unit as this job, and return it, or the job of the run that goes on."""
        if unit in self._running:
            return self._running[unit][0]
        does = next(does for prefix, does in self.table.items() if unit.startswith(prefix))
        task = asyncio.get_running_loop().create_task(self._run(unit, job, does))
        self._running[unit] = (job, task)
        return job

    def stop(self, unit: str, job: int) -> int:
        """End the unit's run, if there is one; both jobs are told to have ended."""
        if unit in self._running:
            self._running[unit][1].cancel()
        asyncio.get_running_loop().call_later(0.001, self._tell, JobRemoved(unit, job, "done"))
        return job

    async def close(self) -> None:
        """End all of them."""
        tasks = [task for _job, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, unit: str, job: int, does: Oneshot) -> None:
        await asyncio.sleep(0)  # after the answer, as systemd's own
        try:
            result = await does(unit)
        except asyncio.CancelledError:
            result = "canceled"
        del self._running[unit]
        self._tell(JobRemoved(unit, job, result))
