"""The manager's end, with bridges that do as they like."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import opmas
from opmas.errors import SystemdError
from opmas.ports import Disconnected, JobRemoved, Resynced, UnitGone
from opmas.systemd.client import EVENTS_MAX, Patience, SystemdUnits, bridge_command
from tests.loop import in_loop
from tests.unit.systemd import bridges

if TYPE_CHECKING:
    from opmas.ports import UnitEvent

WEB: Final = "opmas-agent@web.service"
SHORT: Final = Patience(
    call_timeout=0.7, stuck_after=1.0, ping_every=0.1, respawn_first=0.01, respawn_longest=0.02
)
RESYNCED: Final = Resynced((), "252", "private")


async def take(units: SystemdUnits, number: int) -> list[UnitEvent]:
    """Return so many events."""
    events = units.events()
    taken = [await anext(events) for _ in range(number)]
    await events.aclose()  # type: ignore[attr-defined]
    return taken


@in_loop
async def test_an_answer_is_returned_and_events_are_told() -> None:
    async with SystemdUnits(bridges.OBEDIENT) as units:
        job = await units.start(WEB)
        events = await take(units, 2)

    assert job == 7
    assert events == [RESYNCED, JobRemoved(WEB, 7, "done")]


@in_loop
async def test_who_waits_for_an_answer_has_it_before_the_event_after_it() -> None:
    order: list[object] = []

    async def listen(units: SystemdUnits) -> None:
        for _ in range(2):
            order.extend(await take(units, 1))

    async with SystemdUnits(bridges.OBEDIENT) as units:
        listening = asyncio.create_task(listen(units))
        order.append(await units.start(WEB))
        await listening

    assert order == [RESYNCED, 7, JobRemoved(WEB, 7, "done")]
    assert units.bridge_pid is None


@in_loop
async def test_how_long_the_last_answer_took_is_known() -> None:
    async with SystemdUnits(bridges.OBEDIENT) as units:
        before = units.answer_seconds()
        begin = time.monotonic()
        await units.start(WEB)
        taken = time.monotonic() - begin

        assert before is None
        assert 0 < (units.answer_seconds() or 0) <= taken


@in_loop
async def test_an_answer_that_does_not_come_is_counted_as_long_as_it_is_waited_for() -> None:
    async with SystemdUnits(bridges.DEAF, replace(SHORT, stuck_after=60.0)) as units:
        with pytest.raises(SystemdError, match="no answer"):
            await units.start(WEB)

        assert (units.answer_seconds() or 0) >= SHORT.call_timeout


@in_loop
async def test_a_refusal_names_the_call_the_unit_and_the_reason() -> None:
    async with SystemdUnits(bridges.REFUSING) as units:
        with pytest.raises(SystemdError) as refusal:
            await units.reset_failed(WEB)

    assert refusal.value.reason == "masked"
    assert refusal.value.message == f'cannot reset failed "{WEB}": Unit is masked'


@in_loop
async def test_a_call_whose_bridge_dies_is_not_repeated() -> None:
    async with SystemdUnits(bridges.DYING, SHORT) as units:
        with pytest.raises(SystemdError, match="died") as failure:
            await units.stop(WEB)
        events = await take(units, 3)

    assert failure.value.reason == "unavailable"
    assert events == [RESYNCED, Disconnected("the bridge is gone (exit status 0)"), RESYNCED]


@in_loop
async def test_a_deaf_bridge_costs_a_caller_its_deadline_and_is_killed() -> None:
    async with SystemdUnits(bridges.DEAF, SHORT) as units:
        with pytest.raises(SystemdError, match="no answer within") as failure:
            await units.start(WEB)
        events = await take(units, 3)

    assert failure.value.reason == "timeout"
    assert events == [RESYNCED, Disconnected("the bridge is gone (signal 9)"), RESYNCED]


@in_loop
async def test_a_deaf_bridge_is_killed_although_nobody_calls() -> None:
    async with SystemdUnits(bridges.DEAF, SHORT) as units:
        events = await take(units, 2)

    assert events == [RESYNCED, Disconnected("the bridge is gone (signal 9)")]


@in_loop
async def test_many_calls_may_take_longer_together_than_one_may_alone() -> None:
    async with SystemdUnits(bridges.SLOW, Patience(call_timeout=1.5)) as units:
        jobs = await asyncio.gather(*(units.start(WEB) for _ in range(12)))

    assert jobs == [7] * 12


@in_loop
async def test_a_bridge_that_speaks_nonsense_is_replaced() -> None:
    async with SystemdUnits(bridges.MAD, SHORT) as units:
        with pytest.raises(SystemdError):
            await units.start(WEB)
        events = await take(units, 3)

    assert events == [RESYNCED, Disconnected("the bridge is gone (signal 9)"), RESYNCED]


@in_loop
async def test_a_program_that_is_not_there_is_said() -> None:
    async with SystemdUnits(["/nonexistent/bridge"], SHORT) as units:
        with pytest.raises(SystemdError, match="no answer") as failure:
            await units.start(WEB)
        (event,) = await take(units, 1)

    assert failure.value.reason == "unavailable"
    assert event == Disconnected("the bridge cannot be started: No such file or directory")


@in_loop
async def test_events_that_nobody_takes_are_dropped_for_a_fresh_check() -> None:
    async with SystemdUnits(bridges.TALKATIVE) as units:
        await units.resync()
        events = await take(units, 1 + 30_000 - EVENTS_MAX + 2)

    assert events[0] == UnitGone(WEB)
    assert events[-1] == Resynced((), "253", "bus")


@in_loop
async def test_a_bridge_cannot_speak_for_the_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/nowhere")
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    async with SystemdUnits(bridges.CURIOUS) as units:
        events = await take(units, 2)

    assert events[1] == Disconnected("knows 0")


def test_the_bridge_is_of_the_same_tree_as_the_manager() -> None:
    command = bridge_command()

    assert command[1] == f"PYTHONPATH={Path(opmas.__file__).parents[1]}"
    assert command[-2:] == ("-m", "opmas.systemd.bridge")
