"""Faults of the manager's own: they cost what they touch, and neither the loop nor an answer."""

from __future__ import annotations

import asyncio

import pytest

from opmas.errors import OpmasError
from tests.integration.manager.place import Place
from tests.loop import in_loop


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def broken(*_args: object, **_kwargs: object) -> None:
    raise RuntimeError("a fault")


async def broken_call(*_args: object, **_kwargs: object) -> int:
    raise RuntimeError("a fault")


@in_loop
async def test_a_start_that_breaks_fails_that_agent_alone(place, monkeypatch):
    async with place:
        await place.create()
        with monkeypatch.context() as patch:
            patch.setattr(place.units, "start", broken_call)
            await place.create("two")

            view = await place.phase("failed", "two")

        assert "a fault" in view["message"]
        assert (await place.create("three"))["phase"] == "running"


@in_loop
async def test_a_listener_that_breaks_costs_no_answer_and_no_event(place, monkeypatch):
    async with place:
        monkeypatch.setattr(place.manager._log, "published", broken)

        view = await place.create()

        assert view["phase"] == "running"
        assert len(await place.events(type="opmas.agent.created", after=0)) == 1


@in_loop
async def test_an_effect_that_breaks_is_not_in_the_way_of_others(place, monkeypatch):
    async with place:
        await place.create()
        monkeypatch.setattr(place.manager.links, "send_config", broken)

        await place.create(config={"naps": 2}, desired="stopped")

        assert (await place.phase("stopped"))["config"] == {"naps": 2}


@in_loop
async def test_what_cannot_be_saved_is_left_out_and_the_rest_of_its_batch_is_kept(place):
    async with place:
        writer = place.manager.writer
        writer.announce("opmas.agent.refused", "agent/web", {"text": "\ud800"})
        writer.announce("opmas.agent.refused", "agent/web", {"text": "fine"})

        await place.create()

        told = await place.events(type="opmas.agent.refused", after=0)
        assert [e["data"] for e in told] == [{"text": "fine"}]


@in_loop
async def test_a_request_that_breaks_the_core_is_answered(place, monkeypatch):
    async with place:
        monkeypatch.setattr("opmas.core.roster.put", broken)

        with pytest.raises(OpmasError, match="internal error"):
            await place.create()

        assert (await place.call("agent.list"))["agents"] == []


@in_loop
async def test_the_manager_ends_while_callers_are_connected(place, monkeypatch):
    async def until_all_hung_up(_server: object) -> None:  # as Python 3.12 and later wait
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.Server, "wait_closed", until_all_hung_up)
    async with place:
        _reader, writer = await asyncio.open_unix_connection(place.socket)

        async with asyncio.timeout(20):
            await place.stop()

        writer.close()
        assert place.notifier.told[-1] == "STOPPING"


@in_loop
async def test_a_writer_that_stands_still_does_not_feed_the_watchdog_though_the_loop_turns(
    place, monkeypatch
):
    async with place:
        writer, stands, goes_on = place.manager.writer, asyncio.Event(), asyncio.Event()
        asleep = writer._sleep

        async def stand_still() -> None:
            stands.set()
            await goes_on.wait()

        monkeypatch.setattr(writer, "_sleep", stand_still)
        writer.announce("opmas.test", "manager", {})
        await stands.wait()
        fed = place.notifier.fed

        writer.announce("opmas.test", "manager", {})
        answer = await place.call("host.status")

        assert answer["state"] == "ok"
        assert place.notifier.fed == fed
        monkeypatch.setattr(writer, "_sleep", asleep)
        goes_on.set()
        await place.until(lambda: place.notifier.fed > fed, "the watchdog is fed again")
