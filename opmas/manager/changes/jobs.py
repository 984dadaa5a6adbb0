"""Jobs: work outside of the manager, handed over by files and done by a unit.

One of each queue goes on at a time: apt, bundles, the agents' data.

A job outlives the manager. When it comes back it finds the result, or joins the run that goes on,
or has it run again: the worker finishes what it finds half done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from opmas.core.job import (
    BEGUN_FILE,
    FOLDER,
    JOB_FILE,
    PROGRESS_FILE,
    RESULT_FILE,
    SNAPSHOTS,
    Job,
    Outcome,
    Progress,
    dump_job,
    load_outcome,
    load_progress,
)
from opmas.errors import InvalidError, SystemdError
from opmas.host.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.manager.unitjobs import UnitJobs

logger = logging.getLogger(__name__)

LOOK: Final = 0.25  # seconds between two looks at the progress
SILENCE: Final = 30.0  # seconds; then the unit is joined anew: the end of its job may be lost
ATTEMPTS: Final = 3  # of a worker that ends without a result, such as one that was killed
AWAY: Final = 300  # times a second that systemd may be away
RETRIED: Final = frozenset({"unavailable", "timeout"})


class Jobs:
    """Runs jobs, those of one queue in the order in which they are asked for."""

    def __init__(self, state: Path, units: UnitJobs) -> None:
        self._folder = state / FOLDER
        self._units = units
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._progress: dict[str, Progress] = {}
        self._going: dict[str, bool] = {}  # and whether what it leaves is wanted
        self.steps = 0  # counts what is seen of progress
        self.progressed: Callable[[], None] = lambda: None

    def progress_of(self, change: int) -> Progress | None:
        """Return how far the job of that change is, or None when none runs."""
        mark = f"{change}-"
        return next((p for id_, p in self._progress.items() if id_.startswith(mark)), None)

    async def run(self, job: Job) -> Outcome:
        """Have the job done, and return what came of it."""
        async with self._turns[job.kind.queue]:
            self._going[job.id] = True
            try:
                return await self._run(job)
            except OSError as error:
                return Outcome(
                    ok=False, code="unavailable", message=f"cannot hand over a job: {error}"
                )
            finally:
                self._progress.pop(job.id, None)
                if not self._going.pop(job.id):
                    shutil.rmtree(self._folder / job.id, ignore_errors=True)

    def changes(self) -> set[int]:
        """Return the numbers of the changes that left anything."""
        found = (path.name.partition("-")[0] for path in self._folder.glob("[0-9]*-*"))
        return {int(number) for number in found if number.isdecimal()}

    def forget(self, change: int) -> None:
        """Remove what the jobs of a change left; of one that goes on still, when it has ended."""
        for folder in self._folder.glob(f"{change}-*"):
            if folder.name in self._going:
                self._going[folder.name] = False
            else:
                shutil.rmtree(folder, ignore_errors=True)

    async def _run(self, job: Job) -> Outcome:
        folder = self._folder / job.id
        text = json.dumps(dump_job(job), indent=1) + "\n"
        if write_whole(folder / JOB_FILE, text, 0o600):
            (folder / RESULT_FILE).unlink(missing_ok=True)  # of another job by this number
        for attempt in range(ATTEMPTS):
            outcome = self._result(folder)
            if outcome is not None:
                return outcome
            if attempt:
                logger.warning("job %s: its worker ended without a result: it runs again", job.id)
            try:
                await self._until_it_ends(job, folder)
            except SystemdError as error:
                return Outcome(ok=False, code=error.code, message=error.message)
        outcome = self._result(folder)
        if outcome is not None:
            return outcome
        message = (
            f"the worker ended {ATTEMPTS} times without a result: see journalctl -u {job.unit}"
        )
        # what it had begun, so that it can be taken back
        return Outcome(ok=False, code="unavailable", message=message, result=_begun(folder))

    async def _until_it_ends(self, job: Job, folder: Path) -> None:
        away = 0
        while True:
            run = asyncio.ensure_future(self._units.run(job.unit, SILENCE))
            try:
                while not (await asyncio.wait([run], timeout=LOOK))[0]:
                    self._look(job.id, folder)
                run.result()
            except TimeoutError:
                continue  # it may go on, or have ended unseen: starting it again tells
            except SystemdError as error:
                away += 1
                if error.reason not in RETRIED or away > AWAY:
                    raise
                await asyncio.sleep(1)
            else:
                return
            finally:
                run.cancel()
                with contextlib.suppress(asyncio.CancelledError, SystemdError, TimeoutError):
                    await run

    def _look(self, id_: str, folder: Path) -> None:
        try:
            found = load_progress(json.loads((folder / PROGRESS_FILE).read_bytes()))
        except (OSError, ValueError, InvalidError):  # not there yet
            return
        if found != self._progress.get(id_):
            self._progress[id_] = found
            self.steps += 1
            self.progressed()

    @staticmethod
    def _result(folder: Path) -> Outcome | None:
        try:
            return load_outcome(json.loads((folder / RESULT_FILE).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, InvalidError) as error:
            logger.warning("%s cannot be read: %s", folder / RESULT_FILE, error)
            return None


def copies(state: Path) -> set[int]:
    """Return of which changes there are copies of data."""
    found = (state / SNAPSHOTS).glob("[0-9]*")
    return {int(path.name) for path in found if path.name.isdecimal()}


def _begun(folder: Path) -> dict[str, Any]:
    """Return what a worker noted before it let dpkg change anything, and nothing if it did not."""
    try:
        noted = json.loads((folder / BEGUN_FILE).read_bytes())
        return {"before": str(noted["version"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
