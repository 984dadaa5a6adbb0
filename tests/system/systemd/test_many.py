"""Hundreds of agents, and tens of thousands of signals."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import pytest

from opmas.core.agent.terms import unit_name
from opmas.ports import JobRemoved, UnitGone
from tests.loop import in_loop
from tests.system.systemd.units_host import SLEEPER, UnitsHost, units_host
from tests.system.systemd.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.systemd.client import SystemdUnits

MANY: Final = [unit_name(f"many-{number}") for number in range(500)]
SOME: Final = [unit_name(f"some-{number}") for number in range(50)]
PATIENCE: Final = 60.0
GROWTH_KILOBYTES: Final = 1024


@pytest.fixture(scope="module")
def host() -> Iterator[UnitsHost]:
    with units_host("many", SLEEPER) as host:
        yield host


@in_loop
async def test_the_end_of_every_edge_of_500_agents_is_right(host: UnitsHost) -> None:
    async with host.units() as units, Watch(units) as watch:
        started = await asyncio.gather(*(units.start(unit) for unit in MANY))
        await watch.until(lambda: len(watch.of(JobRemoved)) == len(MANY), PATIENCE)
        await watch.until(lambda: _all_settled(watch, n_restarts=0), PATIENCE)
        host.sh("systemctl kill -s KILL 'opmas-agent@many-*'")
        await watch.until(lambda: _all_settled(watch, n_restarts=1), PATIENCE)
        told = watch.last_states()
        await units.resync()
        resynced = await watch.until_resynced(2)

    crashes = {
        state.unit: (state.exec_main_code, state.exec_main_status)
        for unit in MANY
        for state in watch.states(unit.partition("@")[2].removesuffix(".service"))
        if state.active_state == "failed"
    }
    assert sorted(started) == sorted(job.job_id for job in watch.of(JobRemoved)[: len(MANY)])
    assert crashes == dict.fromkeys(MANY, (2, signal.SIGKILL))
    assert told == {state.unit: state for state in resynced.states}


@in_loop
async def test_ten_thousand_signals_cost_neither_memory_nor_files(host: UnitsHost) -> None:
    async with host.units() as units, Watch(units) as watch:
        await watch.until_resynced()
        await _start_and_stop(units, watch, rounds=2)
        before, files_before = host.bridge_usage()

        await _start_and_stop(units, watch, rounds=7)  # each start and stop has 32 signals
        after, files_after = host.bridge_usage()

    assert files_after == files_before
    assert after - before < GROWTH_KILOBYTES


async def _start_and_stop(units: SystemdUnits, watch: Watch, rounds: int) -> None:
    for _ in range(rounds):
        gone = len(watch.of(UnitGone))
        await asyncio.gather(*(units.start(unit) for unit in SOME))
        await asyncio.gather(*(units.stop(unit) for unit in SOME))
        await _until_gone(watch, gone + len(SOME))


async def _until_gone(watch: Watch, number: int) -> None:
    await watch.until(lambda: len(watch.of(UnitGone)) >= number, PATIENCE)


def _all_settled(watch: Watch, n_restarts: int) -> bool:
    states = [state for unit, state in watch.last_states().items() if unit in set(MANY)]
    return len(states) == len(MANY) and all(
        (state.active_state, state.job_id, state.n_restarts) == ("active", 0, n_restarts)
        for state in states
    )
