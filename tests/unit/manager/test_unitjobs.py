"""Units run once: results that come before their number is known."""

from __future__ import annotations

from opmas.manager.unitjobs import UnitJobs
from opmas.ports import JobRemoved
from tests.fakes.units import FakeUnits
from tests.loop import in_loop

FIRST, SECOND = "opmas-probe@a.service", "opmas-probe@b.service"


@in_loop
async def test_two_runs_that_end_before_their_starts_are_answered_both_have_a_result():
    async with FakeUnits() as units:
        jobs = UnitJobs(units)
        jobs.job_removed(JobRemoved(FIRST, 81, "done"))
        jobs.job_removed(JobRemoved(SECOND, 82, "done"))

        results = [await jobs.run(unit, 0.2) for unit in (FIRST, SECOND)]

        assert results == ["done", "done"]
