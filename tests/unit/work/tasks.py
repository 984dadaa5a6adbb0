"""Tasks in a directory of the test's own."""

from pathlib import Path
from typing import Any

from opmas.core.documents.settings import Settings
from opmas.core.job import Job, JobKind
from opmas.work.task import Paths, Report, Task


def paths_in(folder: Path) -> Paths:
    return Paths(
        state=folder / "state",
        agent_states=folder / "lib",
        private_states=folder / "private",
        debs=folder / "debs",
    )


def task_in(folder: Path, kind: JobKind, **params: Any) -> Task:
    """A task of the kind; its directory is there."""
    paths = paths_in(folder)
    paths.job("1-1").mkdir(parents=True, exist_ok=True)
    return Task(Job("1-1", kind, params), Settings(), paths, Report(paths.job("1-1")))


def names(folder: Path) -> list[str]:
    """The names of all that is in the directory."""
    return sorted(path.name for path in folder.iterdir())
