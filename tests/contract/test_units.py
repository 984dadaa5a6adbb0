"""What the manager may rely on of systemd, held against the fake and a real systemd."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

import pytest

from opmas.core.agent.terms import probe_unit, unit_name
from opmas.ports import Disconnected, JobRemoved, UnitChanged
from tests.contract.worlds import World, watched
from tests.loop import in_loop

STARTED: Final = ["inactive*", "activating*", "active*", "job done", "active"]
STOPPED: Final = ["active*", "deactivating*", "inactive*", "job done", "inactive", "gone"]
RESTARTED: Final = ["auto-restart", "auto-restart*", *STARTED]


@in_loop
async def test_a_start_is_told_state_by_state_and_then_its_job_ends(world: World, agent: str):
    async with watched(world) as (units, watch):
        job = await units.start(unit_name(agent))
        state = await watch.until_told(agent, "active")

    assert watch.story(agent) == STARTED
    assert watch.jobs(agent) == [(job, "done")]
    assert (state.load_state, state.active_state, state.sub_state) == (
        "loaded",
        "active",
        "running",
    )
    assert state.main_pid > 0
    assert len(state.invocation_id) == 32
    assert state.active_enter_at == pytest.approx(state.state_change_at)


@in_loop
async def test_every_answer_to_many_starts_at_once_comes_before_the_end_of_its_job(world: World):
    units_started = [unit_name(f"many-{number}") for number in range(20)]
    async with watched(world) as (units, watch):
        answered = await asyncio.gather(*(_start_early(units, watch, u) for u in units_started))
        await watch.until(lambda: len(watch.of(JobRemoved)) == len(units_started))

    assert {unit for unit, _, ended in answered if ended} == set()
    assert {job.job_id for job in watch.of(JobRemoved)} == {job for _, job, _ in answered}


async def _start_early(units, watch, unit):
    """Start the unit and return its job, and whether that had been told to have ended."""
    job = await units.start(unit)
    return unit, job, job in {removed.job_id for removed in watch.of(JobRemoved)}


@in_loop
async def test_a_stop_ends_with_the_unit_unloaded(world: World, agent: str):
    async with watched(world) as (units, watch):
        start = await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        stop = await units.stop(unit_name(agent))
        state = await watch.until_told(agent, "gone")

    assert watch.story(agent) == [*STARTED, *STOPPED]
    assert watch.jobs(agent) == [(start, "done"), (stop, "done")]
    assert (state.result, state.exec_main_code, state.exec_main_status) == ("success", 2, 15)


@in_loop
async def test_starting_what_runs_is_a_job_that_changes_nothing(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        before = await watch.until_told(agent, "active")

        await units.start(unit_name(agent))
        after = await watch.until_told(agent, "active", "active*", "job done", "active")

    assert after == before


@in_loop
async def test_stopping_what_is_not_loaded_is_a_job_that_succeeds(world: World, agent: str):
    async with watched(world) as (units, watch):
        job = await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    assert watch.jobs(agent) == [(job, "done")]


@in_loop
async def test_a_restart_is_one_job_from_one_invocation_to_the_next(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        before = await watch.until_told(agent, "active")

        job = await units.restart(unit_name(agent))
        after = await watch.until_told(agent, "deactivating*", *STARTED)

    assert watch.story(agent) == [*STARTED, "active*", "deactivating*", *STARTED]
    assert watch.jobs(agent)[-1] == (job, "done")
    assert after.invocation_id != before.invocation_id
    assert after.n_restarts == 0


@in_loop
async def test_a_crash_shows_its_signal_although_the_next_start_forgets_it(
    world: World, agent: str
):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        world.kill(agent, signal.SIGKILL)
        after = await watch.until_told(agent, *RESTARTED)

    crash = next(state for state in watch.states(agent) if state.active_state == "failed")
    assert watch.story(agent) == [*STARTED, "failed", *RESTARTED]
    assert (crash.result, crash.exec_main_code, crash.exec_main_status) == ("signal", 2, 9)
    assert (crash.main_pid, crash.job_id) == (0, 0)
    assert crash.exec_main_exit_at > 0
    assert (after.result, after.exec_main_code, after.exec_main_status) == ("success", 0, 0)
    assert after.n_restarts == 1


@in_loop
async def test_an_exit_with_an_error_shows_its_status(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        world.exit(agent, 3)
        await watch.until_told(agent, *RESTARTED)

    crash = next(state for state in watch.states(agent) if state.active_state == "failed")
    assert (crash.result, crash.exec_main_code, crash.exec_main_status) == ("exit-code", 1, 3)


@in_loop
async def test_an_exit_for_a_bad_configuration_is_not_repeated(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        world.exit(agent, 78)
        state = await watch.until_told(agent, "failed")
        await units.resync()
        await watch.until_resynced(2)

    assert watch.story(agent) == [*STARTED, "failed"]
    assert (state.result, state.exec_main_status, state.n_restarts) == ("exit-code", 78, 0)


@pytest.mark.parametrize("end", [lambda w, a: w.exit(a, 0), lambda w, a: w.kill(a, 15)])
@in_loop
async def test_a_clean_end_is_not_repeated_and_has_no_job(world: World, agent: str, end):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        end(world, agent)
        state = await watch.until_told(agent, "gone")

    assert watch.story(agent) == [*STARTED, "inactive", "gone"]
    assert state.result == "success"


@in_loop
async def test_a_start_that_fails_ends_its_job_before_the_next_try(world: World, agent: str):
    world.fail_on_start(agent, 3)
    async with watched(world) as (units, watch):
        job = await units.start(unit_name(agent))
        await watch.until_told(agent, "failed", "auto-restart")

    assert watch.jobs(agent)[0] == (job, "failed")
    assert watch.story(agent)[:6] == [
        "inactive*", "activating*", "failed*", "job failed", "failed", "auto-restart",
    ]  # fmt: skip


@in_loop
async def test_the_fifth_restart_fails_and_so_do_starts_until_the_count_is_reset(
    world: World, agent: str
):
    world.fail_on_start(agent, 3)
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        given_up = await watch.until_told(
            agent, "auto-restart*", "inactive*", "failed*", "job failed", "failed"
        )
        await units.start(unit_name(agent))
        await watch.until_told(agent, "failed", "failed*", "job failed", "failed")

        await units.reset_failed(unit_name(agent))
        forgotten = await watch.until_told(agent, "failed", "inactive", "gone")
        await units.start(unit_name(agent))
        await watch.until_told(agent, "gone", "inactive*", "activating*", "failed*", "job failed")
        await units.stop(unit_name(agent))

    assert (given_up.result, given_up.exec_main_status, given_up.n_restarts) == ("exit-code", 3, 5)
    assert (forgotten.result, forgotten.n_restarts) == ("success", 0)


@in_loop
async def test_stopping_an_agent_that_starts_cancels_its_job(world: World, agent: str):
    world.hang_on_start(agent)
    async with watched(world) as (units, watch):
        start = await units.start(unit_name(agent))
        await watch.until_told(agent, "activating*")

        stop = await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    assert watch.jobs(agent) == [(start, "canceled"), (stop, "done")]
    assert watch.states(agent)[-1].active_state == "inactive"


@in_loop
async def test_stopping_an_agent_that_waits_for_its_restart_ends_the_waiting(
    world: World, agent: str
):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")
        world.kill(agent, signal.SIGKILL)
        await watch.until_told(agent, "failed", "auto-restart")

        job = await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    assert watch.jobs(agent)[-1] == (job, "done")
    assert watch.story(agent)[-5:] == [
        "auto-restart*", "inactive*", "job done", "inactive", "gone",
    ]  # fmt: skip


@in_loop
async def test_what_an_admin_does_is_told_with_jobs_of_other_ids(world: World, agent: str):
    async with watched(world) as (units, watch):
        ours = await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        world.systemctl("stop", agent)
        await watch.until_told(agent, "gone")
        world.systemctl("start", agent)
        await watch.until_told(agent, "gone", *STARTED)

    foreign = watch.jobs(agent)[1:]
    assert watch.story(agent) == [*STARTED, *STOPPED, *STARTED]
    assert [result for _, result in foreign] == ["done", "done"]
    assert ours not in {job for job, _ in foreign}


@in_loop
async def test_a_full_check_names_every_loaded_unit_as_it_is(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        running = await watch.until_told(agent, "active")
        before = len(watch.of(JobRemoved))

        await units.resync()
        resynced = await watch.until_resynced(2)

    assert running in resynced.states
    assert resynced.connection == "private"
    assert resynced.systemd_version.startswith("252")
    assert len(watch.of(JobRemoved)) == before


@in_loop
async def test_a_lost_connection_is_told_and_all_is_known_again_after(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        running = await watch.until_told(agent, "active")

        world.cut()
        resynced = await watch.until_resynced(2)
        await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    assert len(watch.of(Disconnected)) >= 1
    assert running in resynced.states


@in_loop
async def test_of_a_health_check_the_end_of_its_job_is_told(world: World, agent: str):
    async with watched(world) as (units, watch):
        job = await units.start(probe_unit(agent))
        await watch.until(lambda: watch.of(JobRemoved))

    assert watch.of(JobRemoved)[-1] == JobRemoved(probe_unit(agent), job, "done")
    assert watch.of(UnitChanged) == []
