"""The agents' socket: this process plays the agent; only who it is, is made up."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

import pytest

from opmas.manager.agents import connection
from opmas.manager.agents import pace as paces
from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = """
api: opmas.agent/v1
name: talker
version: 1.0.0
summary: Talks
runtime: python
entry: talker:Talker
config:
  schema: {type: object, properties: {words: {type: integer}}}
  defaults: {words: 1, deep: {a: 1, b: 2}}
events: {subscribes: [opmas.agent.created]}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    # the kernel's word on who speaks; the real one is tested on lab hosts
    monkeypatch.setattr(connection, "agent_of_process", lambda _pid, _uid: Caller.name)
    found = Place(tmp_path)
    folder = tmp_path / "packages/talker"
    folder.mkdir()
    (folder / "agent.yaml").write_text(PYTHON)
    return found


class Caller:
    """An agent's end of the socket."""

    name: str | None = "web"

    def __init__(self, place: Place) -> None:
        self.path = place.path / "run/agent.sock"
        self.calls = 0

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def tell(self, method: str, **params: Any) -> None:
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.calls += 1
        await self.send({"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params})
        return await self.heard()

    async def send(self, document: dict[str, Any]) -> None:
        self.writer.write(json.dumps(document).encode() + b"\n")
        await self.writer.drain()

    async def heard(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readline(), 10)
        answer: dict[str, Any] = json.loads(line) if line else {}
        return answer


async def create(place: Place) -> None:
    await place.create(package="talker", config={"deep": {"b": 3}})


@in_loop
async def test_an_agent_gets_its_configuration_and_each_later_one(place):
    async with place:
        await create(place)
        async with Caller(place) as agent:
            hello = await agent.ask("hello", sdk="0.1.0", config_version=None)
            assert hello["result"] == {
                "agent": "web",
                "version": 1,
                "config": {"words": 1, "deep": {"a": 1, "b": 3}},
            }

            await place.create(package="talker", config={"words": 5})
            update = await agent.heard()
            await agent.send({"id": update["id"], "result": {"version": 2, "applied": True}})

            assert update["method"] == "config"
            assert update["params"] == {
                "version": 2,
                "config": {"words": 5, "deep": {"a": 1, "b": 2}},
            }


@in_loop
async def test_a_refused_configuration_is_told_and_shown(place):
    async with place:
        await create(place)
        async with Caller(place) as agent:
            await agent.ask("hello")
            await place.create(package="talker", config={"words": 5})
            update = await agent.heard()

            refusal = {"version": 2, "applied": False, "error": "too many words"}
            await agent.send({"id": update["id"], "result": refusal})
            await place.until(lambda: place.manager.links.heard("web").config_error, "it is known")

            assert "too many words" in (await place.show())["message"]
            [told] = await place.events(type="opmas.agent.refused", after=0)
            assert "too many words" in told["data"]["message"]


@in_loop
async def test_health_metrics_and_events_come_up(place):
    async with place:
        await create(place)
        metrics = [{"name": "rounds_total", "kind": "counter", "labels": {}, "value": 3}]
        async with Caller(place) as agent:
            await agent.tell("health", status="degraded", message="so so", checks=[])
            await agent.tell("metrics", metrics=metrics)
            await agent.tell(
                "event", type="word.said", severity="warning", message="hey", data={"n": 1}
            )
            await place.until(lambda: place.manager.links.heard("web").metrics, "metrics came")

            view = await place.show()
            assert (view["health"], view["health_message"]) == ("degraded", "so so")
            assert view["metrics"] == metrics
            [event] = await place.events(type="agent.talker.word.said", after=0)
            assert event["data"] == {"severity": "warning", "message": "hey", "data": {"n": 1}}


@in_loop
async def test_an_agent_hears_the_events_that_it_subscribes_to(place):
    async with place:
        await create(place)
        async with Caller(place) as agent:
            await agent.ask("hello")

            await place.create("other")

            told = await agent.heard()
            assert told["method"] == "event"
            assert told["params"]["subject"] == "agent/other"


@pytest.mark.parametrize("name", [None, "unknown"])
@in_loop
async def test_nobody_we_know_is_hung_up_on(place, name, monkeypatch):
    monkeypatch.setattr(Caller, "name", name)
    async with place:
        await create(place)

        async with Caller(place) as agent:
            assert await agent.heard() == {}


@pytest.mark.parametrize(
    "message",
    [
        b"garbage\n",
        b'{"method":"become-root","params":{}}\n',
        b'{"method":"health","params":{"status":"splendid"}}\n',
        b'{"method":"event","params":{"type":"../../x"}}\n',
        b'{"method":"event","params":{"type":"a","severity":"fatal"}}\n',
        b"x" * (connection.LINE_LIMIT + 1),
        b"x" * (connection.LINE_LIMIT + 1) + b"\n",
        b'{"method":"event","params":{"type":"a","data":{"x":"\\ud800"}}}\n',
        b'{"method":"event","params":{"type":"a","data":{"x":NaN}}}\n',
        b'{"method":"event","params":{"type":"a","message":"\\udfff"}}\n',
        b'{"method":"event","params":{"type":"a","data":{"x":"' + b"x" * 9000 + b'"}}}\n',
        b'{"method":"metrics","params":{"metrics":[{"name":"a","value":Infinity}]}}\n',
    ],
)
@in_loop
async def test_what_is_not_of_the_protocol_is_refused_and_said_once(place, message):
    async with place:
        await create(place)
        async with Caller(place) as agent:
            agent.writer.write(message)
            agent.writer.write(message)
            await place.until(
                lambda: place.manager.links.heard("web").refused_at > 0, "it is refused"
            )

            assert len(await place.events(type="opmas.agent.refused", after=0)) == 1
            assert (await place.show())["phase"] == "running"


@in_loop
async def test_a_flood_is_read_slowly_and_disturbs_nobody(place):
    async with place:
        await create(place)
        async with Caller(place) as agent:
            line = b'{"method":"health","params":{"status":"healthy"}}\n'
            agent.writer.write(line * 20_000)
            await asyncio.sleep(0)

            await place.create("other")

            assert (await place.show("other"))["phase"] == "running"
            agent.writer.transport.abort()


@in_loop
async def test_a_newer_connection_replaces_the_older(place):
    async with place:
        await create(place)
        async with Caller(place) as first, Caller(place) as second:
            assert await first.heard() == {}
            assert (await second.ask("hello"))["result"]["agent"] == "web"


@in_loop
async def test_many_agents_are_asked_to_report_less_often(place, monkeypatch):
    monkeypatch.setattr(paces, "STEPS", ((1.5, 30.0),))
    many = {"jsonrpc": "2.0", "method": "pace", "params": {"seconds": 30.0}}
    few = {"jsonrpc": "2.0", "method": "pace", "params": {"seconds": 0.0}}
    async with place:
        await place.create("web", package="talker")
        await place.create("second", package="talker")
        async with Caller(place) as web:
            assert "result" in await web.ask("hello")
            monkeypatch.setattr(Caller, "name", "second")
            async with Caller(place) as second:
                assert await web.heard() == many  # who was there before
                assert await second.heard() == many
                assert "result" in await second.ask("hello")
                assert await second.heard() == many  # who says hello is told what holds
            assert await web.heard() == few
