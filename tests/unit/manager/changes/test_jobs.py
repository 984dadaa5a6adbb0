"""Jobs: handed over by files, run one at a time, joined and run again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.job import Job, JobKind
from opmas.errors import SystemdError
from opmas.manager.changes import jobs
from opmas.manager.changes.jobs import Jobs, copies
from opmas.manager.unitjobs import UnitJobs
from opmas.ports import JobRemoved
from tests.loop import in_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

DONE = {"ok": True, "result": {"bytes": 7}}
JOB = Job("4-1000", JobKind.SNAPSHOT, {"agent": "web", "snapshot": "4"})


class Workers:
    """Units that do what a test says; what is told of their ends goes to `hears`."""

    def __init__(self, *turns: Callable[[], Awaitable[str]]) -> None:
        self.turns = list(turns)
        self.started: list[str] = []
        self.hears: Callable[[JobRemoved], None] = lambda _event: None
        self.left: set[asyncio.Task[None]] = set()

    async def start(self, unit: str) -> int:
        self.started.append(unit)
        turn = self.turns.pop(0)
        task = asyncio.create_task(self._run(unit, len(self.started), turn))
        self.left.add(task)
        return len(self.started)

    async def reset_failed(self, unit: str) -> None:
        return None

    async def _run(self, unit: str, job: int, turn: Callable[[], Awaitable[str]]) -> None:
        self.hears(JobRemoved(unit, job, await turn()))
        self.left.discard(asyncio.current_task())


def place(folder: Path, *turns: Callable[[], Awaitable[str]]) -> tuple[Jobs, Workers]:
    workers = Workers(*turns)
    unit_jobs = UnitJobs(workers)  # type: ignore[arg-type] # what it calls is there
    workers.hears = unit_jobs.job_removed
    return Jobs(folder, unit_jobs), workers


def writes(folder: Path, name: str, document: dict[str, Any]) -> Callable[[], Awaitable[str]]:
    async def turn() -> str:
        (folder / "jobs" / JOB.id / name).write_text(json.dumps(document))
        return "done"

    return turn


async def dies() -> str:
    return "failed"


async def away() -> str:
    raise AssertionError("it is not started")


@in_loop
async def test_a_job_is_handed_over_and_its_result_taken(tmp_path):
    found, workers = place(tmp_path, writes(tmp_path, "result.json", DONE))

    outcome = await found.run(JOB)

    assert (outcome.ok, outcome.result) == (True, {"bytes": 7})
    assert workers.started == ["opmas-package@4-1000.service"]
    given = json.loads((tmp_path / "jobs/4-1000/job.json").read_text())
    assert given["params"] == {"agent": "web", "snapshot": "4"}


@in_loop
async def test_a_worker_that_dies_is_followed_by_another(tmp_path):
    found, workers = place(tmp_path, dies, dies, writes(tmp_path, "result.json", DONE))

    assert (await found.run(JOB)).ok
    assert len(workers.started) == 3


@in_loop
async def test_a_worker_that_always_dies_is_named(tmp_path):
    found, _ = place(tmp_path, dies, dies, dies)

    outcome = await found.run(JOB)

    assert (outcome.ok, outcome.code) == (False, "unavailable")
    assert "journalctl -u opmas-package@4-1000.service" in outcome.message


@in_loop
async def test_a_result_that_is_there_is_taken_without_a_run(tmp_path):
    first, _ = place(tmp_path, writes(tmp_path, "result.json", DONE))
    await first.run(JOB)
    again, workers = place(tmp_path)

    assert (await again.run(JOB)).ok
    assert workers.started == []


@in_loop
async def test_a_result_of_another_job_of_that_number_is_not_taken(tmp_path):
    first, _ = place(tmp_path, writes(tmp_path, "result.json", DONE))
    await first.run(Job(JOB.id, JobKind.DISCARD, {"snapshot": "4"}))
    again, workers = place(tmp_path, writes(tmp_path, "result.json", {"ok": False, "code": "x"}))

    assert not (await again.run(JOB)).ok
    assert len(workers.started) == 1


@pytest.mark.parametrize("text", ["", "{", '{"ok": 7}', "[]", "\x00" * 40])
@in_loop
async def test_a_result_that_is_none_is_no_result(tmp_path, text):
    async def nonsense() -> str:
        (tmp_path / "jobs" / JOB.id / "result.json").write_text(text)
        return "done"

    found, _ = place(tmp_path, nonsense, writes(tmp_path, "result.json", DONE))

    assert (await found.run(JOB)).ok


@in_loop
async def test_progress_is_counted_and_shown_while_the_job_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "LOOK", 0.01)
    over = asyncio.Event()

    async def turn() -> str:
        await writes(tmp_path, "progress.json", {"step": "copy", "done": 2, "total": 9})()
        await over.wait()
        return await writes(tmp_path, "result.json", DONE)()

    found, _ = place(tmp_path, turn)
    seen = asyncio.Event()
    found.progressed = seen.set
    running = asyncio.create_task(found.run(JOB))
    await seen.wait()
    shown, other = found.progress_of(4), found.progress_of(40)
    over.set()
    await running

    assert shown is not None
    assert (shown.step, shown.done, shown.total) == ("copy", 2, 9)
    assert other is None
    assert found.progress_of(4) is None


@in_loop
async def test_a_unit_that_systemd_refuses_fails_the_job(tmp_path):
    found, workers = place(tmp_path)

    async def refuse(_unit: str) -> int:
        raise SystemdError("it is masked", reason="masked")

    setattr(workers, "start", refuse)  # noqa: B010 -- a method, exchanged
    outcome = await found.run(JOB)

    assert (outcome.ok, outcome.code) == (False, "systemd-unavailable")


@in_loop
async def test_an_end_that_nobody_heard_of_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SILENCE", 0.05)

    async def unheard() -> str:
        await writes(tmp_path, "result.json", DONE)()
        await asyncio.sleep(0)
        return "done"

    found, workers = place(tmp_path, unheard, unheard)
    heard = workers.hears
    workers.hears = lambda event: heard(event) if event.job_id > 1 else None

    assert (await found.run(JOB)).ok


@in_loop
async def test_a_full_disk_fails_the_job(tmp_path):
    (tmp_path / "jobs").write_text("no directory")
    found, _ = place(tmp_path, away)

    outcome = await found.run(JOB)

    assert (outcome.ok, outcome.code) == (False, "unavailable")


def test_what_changes_left_is_found_and_forgotten(tmp_path):
    found, _ = place(tmp_path)
    for name in ("4-1000", "4-1001", "40-1000", ".lock"):
        (tmp_path / "jobs" / name).mkdir(parents=True)
    for name in ("4", "12", ".4.half"):
        (tmp_path / "snapshots" / name).mkdir(parents=True)

    assert (found.changes(), copies(tmp_path)) == ({4, 40}, {4, 12})
    found.forget(4)

    assert found.changes() == {40}
