"""A job: work that the manager has done by a unit of its own, and what came of it.

The manager writes STATE/jobs/ID/job.json and starts the unit; the worker writes progress.json
while it works and result.json when it ends. Every job may be run again after a kill: it finishes,
or starts over.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from opmas.core.documents import fields
from opmas.core.documents.fields import Fields, Problems

ID: Final = re.compile(r"[0-9]{1,12}-[0-9]{1,6}")
FOLDER: Final = "jobs"  # below the state directory
SNAPSHOTS: Final = "snapshots"  # beside it: a directory of that number for each change
JOB_FILE: Final = "job.json"
PROGRESS_FILE: Final = "progress.json"
RESULT_FILE: Final = "result.json"
BEGUN_FILE: Final = "begun.json"  # what there was before dpkg changed anything
TOLD_LENGTH: Final = 4000  # characters of a message: a file that it quotes may be of any size


class JobKind(StrEnum):
    """What a job does; its parameters are documented at the worker's function of that name."""

    INSTALL = "install"
    UNINSTALL = "uninstall"
    REHEARSE = "rehearse"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    DISCARD = "discard"
    APT_INSTALL = "apt-install"
    APT_ROLLBACK = "apt-rollback"
    APT_REMOVE = "apt-remove"
    APT_HOLD = "apt-hold"
    APT_REFRESH = "apt-refresh"
    APT_POLICY = "apt-policy"

    @property
    def queue(self) -> str:
        """With which others it takes turns: an agent that is down must not wait for apt."""
        if self.startswith("apt-"):
            return "apt"
        return "data" if self in _OF_DATA else "bundles"


_OF_DATA: Final = frozenset({JobKind.SNAPSHOT, JobKind.RESTORE, JobKind.DISCARD})


@dataclass(frozen=True, slots=True)
class Job:
    """One job: `id` is the change's number and the task's, like 17-2."""

    id: str
    kind: JobKind
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The unit that does it: what runs maintainer scripts cannot be in a sandbox."""
        template = "opmas-apt" if self.kind.queue == "apt" else "opmas-package"
        return f"{template}@{self.id}.service"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: bytes or items, by its step."""

    step: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job; `code` is that of the error, as in opmas.errors."""

    ok: bool
    code: str = ""
    message: str = ""
    problems: tuple[str, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)


def dump_job(job: Job) -> dict[str, Any]:
    """Return the job as a JSON object."""
    return {**asdict(job), "kind": str(job.kind)}


def load_job(document: object) -> Job:
    """Return the job in a JSON object, or raise `InvalidError`."""
    problems = Problems()
    top = Fields(document, "", problems)
    job = Job(
        id=top.need("id", fields.matching(ID, "must be like 17-2"), ""),
        kind=top.need("kind", fields.one_of(JobKind), JobKind.INSTALL),
        params=top.need("params", _mapping, {}),
    )
    top.finish()
    problems.check("read the job")
    return job


def load_progress(document: object) -> Progress:
    """Return the progress in a JSON object, or raise `InvalidError`."""
    problems = Problems()
    top = Fields(document, "", problems)
    most = 2**53
    progress = Progress(
        step=top.need("step", fields.line, ""),
        done=top.get("done", fields.integer(0, most), 0),
        total=top.get("total", fields.integer(0, most), 0),
    )
    problems.check("read a job's progress")
    return progress


def load_outcome(document: object) -> Outcome:
    """Return the outcome in a JSON object, or raise `InvalidError`."""
    problems = Problems()
    top = Fields(document, "", problems)
    outcome = Outcome(
        ok=top.need("ok", fields.flag, otherwise=False),
        code=top.get("code", fields.text, ""),
        message=top.get("message", _told, ""),
        problems=top.get("problems", fields.each(_told, most=1000), ()),
        result=top.get("result", _mapping, {}),
    )
    problems.check("read a job's result")
    return outcome


def _told(value: object) -> str:
    """Read text that may quote the name of an agent's file: whatever it is, it can be saved."""
    found = fields.text(value)[:TOLD_LENGTH].encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in found)


def _mapping(value: object) -> dict[str, Any]:
    found = fields.json_value(value)
    if not isinstance(found, dict):
        raise fields.FieldError(("", f"must be a mapping, not {fields.shown(value)}"))
    return found
