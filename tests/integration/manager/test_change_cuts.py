"""The manager, or a worker, is killed at any step of a change: it ends as new or as it was."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from opmas.core.job import JobKind
from tests.integration.manager import cuts
from tests.integration.manager.stories import STORIES
from tests.integration.manager.worker import Death
from tests.loop import in_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.job import Job

WITH_JOBS = [name for name in STORIES if name not in {"config", "live-config", "remove"}]
# What a worker can never do leaves something to mend: a copy of data, a revert that failed.
MENDS = {JobKind.RESTORE, JobKind.DISCARD, JobKind.APT_ROLLBACK}
# Done, and nobody knows: a version more, or one less.
DONE_FOR_NOBODY = {JobKind.INSTALL, JobKind.UNINSTALL, JobKind.APT_INSTALL}


@pytest.fixture(autouse=True)
def without_sync(monkeypatch):
    cuts.without_sync(monkeypatch)


@pytest.mark.parametrize("carried_out", [False, True], ids=["lost", "unheard"])
@pytest.mark.parametrize("name", STORIES)
@in_loop
async def test_a_manager_killed_after_any_save_leaves_the_old_or_the_new(
    tmp_path, record_property, name, carried_out
):
    for saves in count():
        path = tmp_path / str(saves)
        try:
            cut = await cuts.tell(STORIES[name], path, saves, carried_out=carried_out)
        except BaseException as error:
            error.add_note(f"the manager was killed after save {saves}")
            raise
        if not cut:
            break
    record_property("cuts", saves)
    print(f"{name}: {saves} cuts")
    assert saves > 0


@pytest.mark.parametrize("carried_out", [False, True], ids=["lost", "unheard"])
@pytest.mark.parametrize("name", ["update-migrate", "bad-update", "bad-update-deb", "delivered"])
@in_loop
async def test_managers_that_are_killed_one_after_another_come_to_an_end(
    tmp_path, record_property, name, carried_out
):
    lives = await cuts.tell_in_lives(STORIES[name], tmp_path / "all", carried_out)

    record_property("cuts", lives)
    print(f"{name}: {lives} cuts")
    assert 1 < lives < cuts.MOST_LIVES


def nobody(_run: int, _job: Job) -> None:
    """Kill none."""


def once(number: int, death: Death) -> Callable[[int, Job], Death | None]:
    """Return what kills that run alone."""
    return lambda run, _job: death if run == number else None


def always(id_: str, death: Death) -> Callable[[int, Job], Death | None]:
    """Return what kills every run of that job."""
    return lambda _run, job: death if job.id == id_ else None


@pytest.mark.parametrize("name", WITH_JOBS)
@in_loop
async def test_a_worker_killed_in_any_job_is_followed_by_one_that_ends_it(
    tmp_path, record_property, name
):
    jobs = await cuts.tell_killing(STORIES[name], tmp_path / "whole", nobody)
    for number, job in enumerate(jobs):
        for death in Death:
            path = tmp_path / f"{number}-{death.name}"
            runs = await cuts.tell_killing(STORIES[name], path, once(number, death))
            assert [each.id for each in runs].count(job.id) == 2
    record_property("cuts", len(jobs) * len(Death))
    print(f"{name}: {len(jobs) * len(Death)} cuts")


@pytest.mark.parametrize("death", Death, ids=lambda death: death.name.lower())
@pytest.mark.parametrize("name", [name for name in WITH_JOBS if name != "delivered"])
@in_loop
async def test_a_job_whose_worker_always_dies_leaves_what_was_before(
    tmp_path, record_property, name, death
):
    jobs = await cuts.tell_killing(STORIES[name], tmp_path / "whole", nobody)
    spared = MENDS | (DONE_FOR_NOBODY if death is Death.AFTER else set())
    killed = [job for job in jobs if job.kind not in spared]
    for job in killed:
        await cuts.tell_killing(STORIES[name], tmp_path / job.id, always(job.id, death))
    record_property("cuts", len(killed))
    print(f"{name}: {len(killed)} cuts")
