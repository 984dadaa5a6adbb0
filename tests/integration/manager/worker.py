"""The workers of a place: units that do jobs with the real code, or as a test says; and die."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from enum import StrEnum
from typing import TYPE_CHECKING

from opmas.core import job as jobs
from opmas.core.job import Job, JobKind, Outcome, load_job
from opmas.packages.deb import Deb
from opmas.work.worker import work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.core.documents.settings import Settings
    from opmas.work.task import Paths
    from tests.integration.manager.place import Place


class Death(StrEnum):
    """When a worker is killed."""

    BEFORE = "before it did anything"
    AFTER = "after all was done, before it wrote the result"


class Worker:
    """Does the jobs. `told` answers kinds of jobs that cannot be done here; `dies` kills a run."""

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self.paths = paths
        self.settings = settings
        self.runs: list[Job] = []
        self.told: dict[JobKind, Callable[[Job], Outcome]] = {
            JobKind.REHEARSE: lambda _job: Outcome(ok=True)
        }
        self.dies: Callable[[Job], Death | None] = lambda _job: None
        self.hangs: set[JobKind] = set()
        self.hangs_after: set[JobKind] = set()  # it has done its work, and not told
        self.went_on = asyncio.Event()

    async def __call__(self, unit: str) -> str:
        """Do the job of that unit."""
        id_ = unit.partition("@")[2].removesuffix(".service")
        job = load_job(json.loads((self.paths.job(id_) / jobs.JOB_FILE).read_bytes()))
        self.runs.append(job)
        death = self.dies(job)
        if death is Death.BEFORE:
            return "failed"
        await self._until(job, self.hangs)
        await asyncio.to_thread(self._do, job)
        result = self.paths.job(id_) / jobs.RESULT_FILE
        if death is Death.AFTER:
            result.unlink()
            return "failed"
        if job.kind in self.hangs_after:
            written = result.read_bytes()
            result.unlink()
            await self._until(job, self.hangs_after)
            result.write_bytes(written)
        return "done"

    def go_on(self) -> None:
        """End whatever hangs."""
        self.hangs.clear()
        self.hangs_after.clear()
        self.went_on.set()

    def kinds(self) -> list[str]:
        """Return the kinds of all runs so far."""
        return [str(job.kind) for job in self.runs]

    async def _until(self, job: Job, held: set[JobKind]) -> None:
        while job.kind in held:
            self.went_on.clear()
            await self.went_on.wait()

    def _do(self, job: Job) -> None:
        answer = self.told.get(job.kind)
        if answer is None:
            work(job.id, self.settings, self.paths)
            return
        outcome = answer(job)
        document = {
            "ok": outcome.ok,
            "code": outcome.code,
            "message": outcome.message,
            "problems": list(outcome.problems),
            "result": outcome.result,
        }
        (self.paths.job(job.id) / jobs.RESULT_FILE).write_text(json.dumps(document))


class Migrations:
    """Migrates data for opmas-hook@NAME: adds a line to the agent's file `data`."""

    def __init__(self, unit_dir: Path, paths: Paths) -> None:
        self._unit_dir = unit_dir
        self._paths = paths
        self.fails = False
        self.hangs = False
        self.runs: list[str] = []

    async def __call__(self, unit: str) -> str:
        """Migrate the data of that unit's agent; what fails has done half of it."""
        agent = unit.partition("@")[2].removesuffix(".service")
        text = (self._unit_dir / f"{unit}.d/50-opmas.conf").read_text()
        found = re.findall(r"OPMAS_(?:FROM|TO)_VERSION=([^\s\"]*)", text)
        step = "->".join(found)
        self.runs.append(step)
        data = self._paths.agent_states / agent / "data"
        data.write_text(f"{data.read_text()}{step}\n")
        if self.hangs:
            await asyncio.Event().wait()
        return "failed" if self.fails else "done"


class Apt:
    """Does the jobs of apt: the Debian package of a system agent is there in another version."""

    def __init__(self, place: Place, manifest: Callable[[str, str], str]) -> None:
        self._place = place
        self._manifest = manifest
        self._before: dict[str, str] = {}  # what the first run of a job found
        place.worker.told[JobKind.APT_INSTALL] = self._install
        place.worker.told[JobKind.APT_ROLLBACK] = self._install
        place.worker.told[JobKind.APT_REMOVE] = self._remove

    def install(self, deb: str, version: str) -> None:
        """Have the package in that version."""
        name = deb.removeprefix("opmas-agent-")
        folder = self._place.path / "system" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "agent.yaml").write_text(self._manifest(name, version))
        self._place.debs[deb] = Deb(deb, version, configured=True)

    def _install(self, job: Job) -> Outcome:
        deb, version = job.params["deb"], job.params["version"]
        there = self._place.debs.get(deb)
        before = self._before.setdefault(job.id, there.version if there else "")
        self.install(deb, version)
        return Outcome(ok=True, result={"before": before, "after": version, "cached": ""})

    def _remove(self, job: Job) -> Outcome:
        deb = job.params["deb"]
        shutil.rmtree(self._place.path / "system" / deb.removeprefix("opmas-agent-"))
        there = self._place.debs.pop(deb)
        return Outcome(ok=True, result={"before": there.version, "after": "", "cached": ""})
