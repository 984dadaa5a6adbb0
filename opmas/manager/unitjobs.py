"""Units that are started to do one thing and end: run one, and wait for the end of its job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opmas.ports import JobRemoved, Units

JOBS_KEPT: Final = 64


class UnitJobs:
    """Starts oneshot units; `job_removed` is told of every job that ended."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._ended: dict[tuple[str, int], str] = {}  # and nobody has asked yet
        self._waiting: dict[tuple[str, int], asyncio.Future[str]] = {}

    def job_removed(self, event: JobRemoved) -> None:
        """Take note that a job ended."""
        key = (event.unit, event.job_id)
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            self._ended[key] = event.result  # the answer to our start is not read yet
            while len(self._ended) > JOBS_KEPT:  # nobody asks for those of a run that was ended
                del self._ended[next(iter(self._ended))]
        elif not waiting.done():
            waiting.set_result(event.result)

    async def run(self, unit: str, timeout: float) -> str:  # noqa: ASYNC109 -- of the job, not ours
        """Start the unit, or join its run, and return how its job ended, such as done or failed.

        Raises `TimeoutError` when no end is seen within `timeout` seconds: the run may go on.
        """
        result = await self._end_of((unit, await self._units.start(unit)), timeout)
        if result != "done":
            await self._units.reset_failed(unit)
        return result

    async def stop(self, unit: str, timeout: float) -> None:  # noqa: ASYNC109 -- of the job, not ours
        """Stop the unit, and return when it is down."""
        await self._end_of((unit, await self._units.stop(unit)), timeout)

    async def _end_of(self, key: tuple[str, int], timeout: float) -> str:  # noqa: ASYNC109
        if key in self._ended:
            return self._ended.pop(key)
        self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                return await self._waiting[key]
        finally:
            self._waiting.pop(key, None)
