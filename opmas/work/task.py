"""One job at work: what it was asked, where its files are, and how it tells of itself."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core import job as jobs
from opmas.core.documents.fields import Fields, Problems
from opmas.errors import BackendError
from opmas.work.patience import go_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opmas.core.documents.settings import Settings
    from opmas.core.job import Job

REPORT_INTERVAL: Final = 0.2  # seconds: a person sees no more, and the manager reads each one


class UnfinishedError(BackendError):
    """The job began to change the host and could not finish; `result` says what there was before.

    Whoever undoes it needs to know that as well as after a success.
    """

    def __init__(self, message: str, problems: tuple[str, ...], result: dict[str, Any]) -> None:
        super().__init__(message, problems)
        self.result = result


@dataclass(frozen=True, slots=True)
class Paths:
    """Where on the host a job works."""

    state: Path
    agent_states: Path = Path("/var/lib/opmas-agents")
    private_states: Path = Path("/var/lib/private/opmas-agents")
    debs: Path = Path("/var/cache/opmas/debs")

    @property
    def packages(self) -> Path:
        """The versions of packages that are installed."""
        return self.state / "packages"

    @property
    def snapshots(self) -> Path:
        """The copies of agents' state directories."""
        return self.state / jobs.SNAPSHOTS

    @property
    def conffiles(self) -> Path:
        """The configuration files of Debian packages, as they were before a change."""
        return self.state / "conffiles"

    def job(self, job_id: str) -> Path:
        """Return the directory of the job."""
        return self.state / jobs.FOLDER / job_id


class Report:
    """How far the job is, for whoever looks into its directory; each step, and
    five times a second at most.

    A report that cannot be written is lost: the job goes on.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / jobs.PROGRESS_FILE
        self._beside = folder / f".{jobs.PROGRESS_FILE}.new"
        self._now = now
        self._next = float("-inf")
        self._step = ""

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """Tell the step, and how much of it is done: bytes or items."""
        go_on()
        now = self._now()
        if step == self._step and now < self._next:
            return
        self._next, self._step = now + REPORT_INTERVAL, step
        progress = jobs.Progress(step, done, max(done, total))
        with contextlib.suppress(OSError):
            self._beside.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            self._beside.rename(self._path)


@dataclass(frozen=True, slots=True)
class Task:
    """A job and all that its function needs."""

    job: Job
    settings: Settings
    paths: Paths
    report: Report

    @property
    def folder(self) -> Path:
        """The job's own directory, for root alone."""
        return self.paths.job(self.job.id)

    @contextlib.contextmanager
    def parameters(self) -> Iterator[Fields]:
        """Give the job's parameters to read; at the end `InvalidError` names all faults."""
        problems = Problems()
        found = Fields(self.job.params, "params", problems)
        yield found
        found.finish()
        problems.check(f"do the job {self.job.id}")
