"""What systemd refuses and what it does at once, held against the fake and a real systemd."""

from __future__ import annotations

import signal

import pytest

from opmas.core.agent.terms import unit_name
from opmas.errors import SystemdError
from tests.contract.worlds import World, watched
from tests.loop import in_loop


@pytest.mark.parametrize("call", ["start", "restart"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(lambda w, a: w.mask(a), "masked"), (lambda w, a: w.break_file(a), "bad-setting")],
    ids=["masked", "bad-setting"],
)
@in_loop
async def test_a_unit_that_cannot_be_started_is_refused_with_the_reason(
    world: World, agent: str, call, spoil, reason
):
    spoil(world, agent)
    async with watched(world) as (units, watch):
        with pytest.raises(SystemdError, match=f'cannot {call} "{unit_name(agent)}"') as refusal:
            await getattr(units, call)(unit_name(agent))

    assert refusal.value.reason == reason
    assert watch.jobs(agent) == []


@in_loop
async def test_forgetting_failures_of_what_is_not_loaded_is_fine(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.reset_failed(unit_name(agent))

    assert watch.story(agent) == []


@in_loop
async def test_what_is_not_loaded_cannot_be_killed(world: World, agent: str):
    async with watched(world) as (units, _):
        with pytest.raises(SystemdError) as refusal:
            await units.kill(unit_name(agent), signal.SIGKILL)

    assert refusal.value.reason == "no-such-unit"


@in_loop
async def test_the_network_of_an_agent_is_not_counted_unless_an_admin_says_so(
    world: World, agent: str
):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        counted = await units.network_bytes(unit_name(agent))

    assert counted is None


@in_loop
async def test_a_signal_of_the_manager_reaches_the_agent(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        await units.kill(unit_name(agent), signal.SIGABRT)
        await watch.until_told(agent, "failed", "auto-restart")

    crash = next(state for state in watch.states(agent) if state.active_state == "failed")
    assert crash.exec_main_status == signal.SIGABRT


@in_loop
async def test_limits_are_set_on_a_running_agent_without_a_restart(world: World, agent: str):
    limits = {"MemoryMax": 2**26, "MemoryHigh": 2**25, "TasksMax": 16}
    limits |= {"CPUQuotaPerSecUSec": 200_000, "CPUWeight": 50, "IOWeight": 70}
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        await units.set_limits(unit_name(agent), limits)
        await units.resync()
        resynced = await watch.until_resynced(2)

    assert next(s for s in resynced.states if s.unit == unit_name(agent)).main_pid > 0


@in_loop
async def test_a_limit_that_is_none_is_refused(world: World, agent: str):
    async with watched(world) as (units, _):
        with pytest.raises(SystemdError, match="MemoryMaximum") as refusal:
            await units.set_limits(unit_name(agent), {"MemoryMaximum": 1})

    assert refusal.value.reason == "refused"


@in_loop
async def test_only_an_inactive_agent_can_be_cleaned(world: World, agent: str):
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")
        with pytest.raises(SystemdError) as refusal:
            await units.clean(unit_name(agent), ["state"])

        await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")
        await units.clean(unit_name(agent), ["state"])

    assert refusal.value.reason == "busy"


@in_loop
async def test_a_changed_file_of_a_loaded_unit_is_noticed_until_a_reload(world: World, agent: str):
    world.change_file(agent)
    async with watched(world) as (units, watch):
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")
        at_first = await units.needs_reload(unit_name(agent))

        world.change_file(agent)
        changed = await units.needs_reload(unit_name(agent))
        await units.reload_daemon()
        await watch.until_resynced(2)

        assert (at_first, changed) == (False, True)
        assert not await units.needs_reload(unit_name(agent))
