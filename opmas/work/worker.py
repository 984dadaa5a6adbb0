"""Does one job and writes down what came of it, whatever comes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import json
import os
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core import job as jobs
from opmas.core.job import JobKind, Outcome
from opmas.errors import BackendError, DiskSpaceError, InvalidError, OpmasError
from opmas.host.files import write_whole
from opmas.work.stop import hold_stop
from opmas.work.task import Paths, Report, Task, UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opmas.core.documents.settings import Settings

LOCK_LIMIT: Final = 60.0  # seconds; the manager lets one go on in each queue: none should wait
LOCK_DELAY: Final = 0.05
MOST_PROBLEMS: Final = 200
PROBLEM_LENGTH: Final = 500  # characters
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}

# Named here and imported when asked for: a snapshot does not pay for cryptography.
_FUNCTIONS: Final[dict[JobKind, tuple[str, str]]] = {
    JobKind.INSTALL: ("opmas.work.bundles", "install"),
    JobKind.UNINSTALL: ("opmas.work.bundles", "uninstall"),
    JobKind.REHEARSE: ("opmas.work.rehearsal", "rehearse"),
    JobKind.SNAPSHOT: ("opmas.work.snapshots", "snapshot"),
    JobKind.RESTORE: ("opmas.work.snapshots", "restore"),
    JobKind.DISCARD: ("opmas.work.snapshots", "discard"),
    JobKind.APT_INSTALL: ("opmas.work.debs", "install"),
    JobKind.APT_ROLLBACK: ("opmas.work.debs", "roll_back"),
    JobKind.APT_REMOVE: ("opmas.work.debs", "remove"),
    JobKind.APT_HOLD: ("opmas.work.debs", "hold"),
    JobKind.APT_REFRESH: ("opmas.work.debs", "refresh"),
    JobKind.APT_POLICY: ("opmas.work.debs", "policy"),
}


def work(job_id: str, settings: Settings, paths: Paths | None = None) -> Outcome:
    """Do the job and return what is written in its result.json.

    OSError when that cannot be written: then nobody knows, and the job is to be done again.
    """
    paths = paths or Paths(Path(settings.manager.state_dir))
    folder = paths.job(job_id)
    for old in (jobs.RESULT_FILE, jobs.PROGRESS_FILE):  # of a run that was killed
        (folder / old).unlink(missing_ok=True)
    outcome = _outcome(lambda: _result(job_id, settings, paths))
    with hold_stop(forget=True):
        write_whole(folder / jobs.RESULT_FILE, json.dumps(asdict(outcome)) + "\n", 0o600)
    return outcome


def _result(job_id: str, settings: Settings, paths: Paths) -> dict[str, Any]:
    folder = paths.job(job_id)
    job = _read_job(folder / jobs.JOB_FILE)
    if job.id != job_id:
        raise InvalidError(f"cannot do the job {job_id}: its file is of the job {job.id}")
    module, function = _FUNCTIONS[job.kind]
    with _alone(paths.state / jobs.FOLDER / f".lock-{job.kind.queue}"):
        does: Callable[[Task], dict[str, Any]]
        does = getattr(importlib.import_module(module), function)
        return does(Task(job, settings, paths, Report(folder)))


def _read_job(path: Path) -> jobs.Job:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidError(f"cannot read {path}: {error}") from error
    return jobs.load_job(document)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Be the only job of its queue at work, or raise `BackendError` after the limit."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_LIMIT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    why = f"another job has been at work for {LOCK_LIMIT:g} s"
                    raise BackendError(f"cannot begin the job: {why}") from error
                time.sleep(LOCK_DELAY)
        yield
    finally:
        os.close(descriptor)


def _outcome(action: Callable[[], dict[str, Any]]) -> Outcome:
    try:
        return Outcome(ok=True, result=action())
    except OpmasError as error:
        found = Outcome(
            ok=False,
            code=error.code,
            message=error.message,
            problems=_bounded(error.problems),
            result=error.result if isinstance(error, UnfinishedError) else {},
        )
        _say("\n".join((found.message, *found.problems)))
        return found
    except OSError as error:
        _say(traceback.format_exc())
        named = isinstance(error.filename, str | bytes)  # or a descriptor, which says nothing
        where = f"{os.fsdecode(error.filename)}: " if named else ""
        reason = f"{where}{(error.strerror or str(error)).lower()}"
        code = DiskSpaceError.code if error.errno in _FULL else BackendError.code
        return Outcome(ok=False, code=code, message=f"cannot do the job: {reason}")
    except Exception as error:  # noqa: BLE001 -- a fault of ours is a result as well
        _say(traceback.format_exc())
        said = f"{type(error).__name__}: {error}"[:PROBLEM_LENGTH]
        return Outcome(ok=False, code=OpmasError.code, message=f"cannot do the job: {said}")


def _bounded(problems: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(problem[:PROBLEM_LENGTH] for problem in problems[:MOST_PROBLEMS])


def _say(text: str) -> None:
    """Write to the journal as an error: `<3>` is the priority, sd-daemon(3)."""
    for line in text.splitlines():
        print(f"<3>{line}", file=sys.stderr)  # noqa: T201 -- the journal
