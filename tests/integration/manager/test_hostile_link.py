"""Agents that want to harm: the manager serves the others all the same."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Final

import pytest

from opmas.manager.agents import connection, heard
from opmas.manager.agents import link as links
from tests.integration.manager.place import Place
from tests.loop import in_loop

FILES: Final = Path("/proc/self/fd")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(connection, "agent_of_process", lambda _pid, _uid: "web")
    return Place(tmp_path)


async def connect(place: Place) -> socket.socket:
    plug = socket.socket(socket.AF_UNIX)
    plug.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plug, str(place.path / "run/agent.sock"))
    return plug


async def say(plug: socket.socket, content: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(plug, content)


def event(**params: object) -> bytes:
    return json.dumps({"method": "event", "params": {"type": "a", **params}}).encode() + b"\n"


@in_loop
async def test_a_new_connection_buys_no_new_share(place):
    async with place:
        await place.create()
        for _ in range(5):
            plug = await connect(place)
            await say(plug, event() * 300)
            await place.show()
            plug.close()

        told = await place.events(type="agent.nap.a", after=0)

        assert 0 < len(told) < 2 * heard.BURST / links.EVENT_COST


@in_loop
async def test_an_agent_that_never_reads_holds_one_connection_however_often_it_comes(place):
    async with place:
        await place.create()
        asked = b'{"id":"%s","method":"hello"}\n' % (b"x" * 60_000)
        before = len(list(FILES.iterdir()))
        plugs = []
        for _ in range(20):
            plugs.append(await connect(place))
            await say(plugs[-1], asked * 7)
            await place.show()

        held = len(list(FILES.iterdir())) - before - len(plugs)

        for plug in plugs:
            plug.close()
        assert held <= 2


@in_loop
async def test_a_page_of_the_largest_events_fits_into_one_answer(place, monkeypatch):
    monkeypatch.setattr(links, "EVENT_COST", 0)
    monkeypatch.setattr(heard, "RATE", 1e6)
    async with place:
        await place.create()
        plug = await connect(place)
        largest = event(data={"x": "\u00e9" * (links.EVENT_LIMIT // 6 - 20)})
        await say(plug, largest * 1000)
        log = place.manager.writer
        await place.until(lambda: not log._items and log._log.last > 1000, "they are saved")

        newest = await place.events()
        oldest = await place.events(after=0)

        plug.close()
        numbers = {told["sequence"] for told in (*oldest, *newest)}
        assert numbers == set(range(1, newest[-1]["sequence"] + 1)), "two pages have them all"
        assert len(newest) < 1000, "each is bounded by its size"
