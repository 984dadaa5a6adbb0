"""Health in a manager on a fake systemd: probes, reports over the socket, history."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.agent.state import health
from opmas.core.agent.terms import Health, probe_unit, unit_name
from opmas.core.health.assessment import STALE, assess
from opmas.errors import InvalidError, UnknownAgentError
from opmas.manager.agents import connection
from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from pathlib import Path

CHECK = "health_check: {command: [/bin/true], period: 1, timeout: 1, failures: 2, successes: 2}"
LIVE = "health_check: {command: [/bin/true], period: 1, timeout: 1, failures: 2, liveness: true}"
PROBE, UNIT = probe_unit("web"), unit_name("web")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A host that is still to be entered."""
    made = Place(tmp_path)
    made.add_package("checked", CHECK)
    made.add_package("live", LIVE)
    return made


def fact(view: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in view["health_facts"] if f["name"] == name)
    return found


async def health_is(place: Place, status: str) -> dict[str, Any]:
    agents = place.manager.writer
    told = lambda: health(agents.roster.get("web")).status  # noqa: E731 -- read anew each time
    await place.until(lambda: told() == status, f"its health is {status}")
    return await place.show()


@in_loop
async def test_a_checked_agent_is_ready_from_its_first_success(place: Place) -> None:
    async with place:
        place.units.failing[PROBE] = 1
        await place.create(package="checked")

        failed = await health_is(place, "degraded")
        assert not failed["ready"]
        assert failed["alive"]
        assert fact(failed, "probe")["code"] == "check-failed"

        await health_is(place, "unhealthy")
        del place.units.failing[PROBE]
        well = await health_is(place, "healthy")
        assert well["ready"]
        assert fact(well, "probe")["age"] < 60


@in_loop
async def test_health_and_its_times_outlive_a_manager(place: Place) -> None:
    async with place:
        place.units.failing[PROBE] = 1
        await place.create(package="checked")
        await health_is(place, "unhealthy")
        before = len([e for e in await place.events(after=0) if e["type"] == "opmas.agent.health"])

        await place.stop()
        await place.start()

        assert (await place.show())["health"] == "unhealthy"
        after = len([e for e in await place.events(after=0) if e["type"] == "opmas.agent.health"])
        assert after == before


@in_loop
async def test_an_agent_that_fails_the_check_of_its_life_is_started_again(place: Place) -> None:
    async with place:
        await place.create(package="live", window=0)
        await health_is(place, "healthy")
        first = (await place.show())["main_pid"]

        place.units.failing[PROBE] = 1
        await place.until(lambda: place.units.calls.count(("stop", UNIT)), "it is stopped")
        del place.units.failing[PROBE]
        await place.until(lambda: place.manager.writer.roster.get("web").failures, "it failed")

        told = [e["data"] for e in await place.events(type="opmas.agent.phase")]
        assert {"from": "running", "to": "stopping", "reason": "unhealthy"} in told
        assert (await place.show())["main_pid"] != first


@in_loop
async def test_what_was_is_told_with_its_length(place: Place) -> None:
    async with place:
        await place.create(package="checked")
        await health_is(place, "healthy")
        place.units.failing[PROBE] = 1
        await health_is(place, "unhealthy")

        found = await place.call("agent.history", name="web")

        told = [(s["phase"], s["health"]) for s in found["states"]]
        assert told[-3:] == [
            ("running", "healthy"),
            ("running", "degraded"),
            ("running", "unhealthy"),
        ]
        assert 0 < found["availability"] < 1
        assert sum(d["seconds"] for d in found["durations"]) == pytest.approx(
            found["known_seconds"], abs=0.1
        )
        assert not found["more"]
        assert len((await place.call("agent.history", name="web", limit=1))["states"]) == 1


@in_loop
async def test_a_history_that_cannot_be_is_refused(place: Place) -> None:
    async with place:
        await place.create(package="checked")

        with pytest.raises(UnknownAgentError):
            await place.call("agent.history", name="nobody")
        with pytest.raises(InvalidError):
            await place.call("agent.history", name="web", since="yesterday")
        with pytest.raises(InvalidError):
            await place.call("agent.history", name="web", since="2999-01-01T00:00:00Z")


@in_loop
async def test_reports_that_say_the_same_change_nothing_and_are_fresh(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place:
        monkeypatch.setattr(connection, "agent_of_process", lambda _pid, _uid: "web")
        await place.create()
        _, writer = await asyncio.open_unix_connection(str(place.path / "run/agent.sock"))
        status = {"status": "degraded", "message": "slow", "progress": {"steps": 7, "age": 0.5}}
        line = (
            json.dumps({"jsonrpc": "2.0", "method": "health", "params": status}).encode() + b"\n"
        )

        writer.write(line)
        view = await health_is(place, "degraded")
        known = place.manager.writer.roster.get("web")
        first = place.manager.links.heard("web").reported_at
        writer.write(line)
        heard = place.manager.links.heard("web")
        await place.until(lambda: heard.reported_at != first, "it is heard again")

        assert fact(view, "progress")["message"] == "7 steps in this run"
        assert place.manager.writer.roster.get("web") is known
        assert fact(await place.show(), "report")["source"] == "agent"
        writer.close()
        await writer.wait_closed()


@in_loop
async def test_an_agent_that_goes_away_from_the_manager_is_not_unhealthy(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place:
        monkeypatch.setattr(connection, "agent_of_process", lambda _pid, _uid: "web")
        await place.create()
        _, writer = await asyncio.open_unix_connection(str(place.path / "run/agent.sock"))
        writer.write(b'{"method":"health","params":{"status":"degraded"}}\n')
        await health_is(place, "degraded")

        writer.close()
        await writer.wait_closed()

        roster = place.manager.writer
        await place.until(lambda: roster.roster.get("web").vitals.linked is False, "it is gone")
        assert (await place.show())["health"] == "degraded"
        at = roster.roster.get("web").vitals.linked_at + STALE
        assert assess(roster.roster.get("web"), at).status is Health.UNKNOWN


@in_loop
async def test_a_check_that_cannot_be_run_any_more_is_not_believed(place: Place) -> None:
    async with place:
        await place.create(package="checked")
        await health_is(place, "healthy")

        place.units.masked.add(PROBE)
        blind = await health_is(place, "unknown")
        assert fact(blind, "probe")["code"] == "no-result"
        assert "cannot be run" in blind["health_message"]

        place.units.masked.discard(PROBE)
        await health_is(place, "healthy")


@in_loop
async def test_health_that_changes_all_the_time_is_read_more_slowly(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place:
        monkeypatch.setattr(connection, "agent_of_process", lambda _pid, _uid: "web")
        await place.create()
        _, writer = await asyncio.open_unix_connection(str(place.path / "run/agent.sock"))
        lines = (
            b'{"method":"health","params":{"status":"%b"}}\n' % status
            for _ in range(50)
            for status in (b"degraded", b"healthy")
        )
        writer.write(b"".join(lines))

        heard = place.manager.links.heard("web")
        await place.until(lambda: heard.tokens < 1, "it has said more than its share")
        writer.close()
        await writer.wait_closed()


@in_loop
async def test_a_crash_is_a_fact(place: Place) -> None:
    async with place:
        await place.create()
        await place.units.kill(UNIT, 9)

        await place.until(
            lambda: place.manager.writer.roster.get("web").vitals.exits, "its exit is noted"
        )

        assert fact(await place.show(), "restarts")["code"] == "restarted"


@in_loop
async def test_what_a_package_did_before_its_update_is_forgotten_with_it(place: Place) -> None:
    async with place:
        await place.create(package="live")
        await place.units.kill(UNIT, 9)
        agents = place.manager.writer
        await place.until(lambda: agents.roster.get("web").vitals.exits, "its exit is noted")
        await place.stop()

        place.add_package("live", LIVE.replace("period: 1", "period: 2"))
        await place.start()

        agents = place.manager.writer
        await place.until(lambda: not agents.roster.get("web").vitals.exits, "it is forgotten")
