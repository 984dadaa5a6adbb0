"""Whatever happens to the manager and its files, agents stay and the state comes right again."""

from __future__ import annotations

import os
import sqlite3

import pytest

from opmas.errors import ManagerError, StoreError
from tests.integration.manager.place import Place
from tests.loop import in_loop


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def calls(place: Place) -> list[str]:
    return [call for call, _unit in place.units.calls]


@in_loop
async def test_a_restart_of_the_manager_touches_no_agent(place):
    async with place:
        before = await place.create()
        await place.stop()
        done = len(place.units.calls)
        await place.start()

        after = await place.show()

        assert (after["phase"], after["main_pid"]) == ("running", before["main_pid"])
        assert after["since"][:19] == before["since"][:19]
        assert not {"start", "stop", "restart"} & set(calls(place)[done:])


@in_loop
async def test_a_crash_while_the_manager_is_away_is_told_when_it_is_back(place):
    async with place:
        await place.create()
        await place.kill()
        place.units.exit("web", 78)
        await place.start()

        view = await place.phase("failed")

        assert view["reason"] == "config-error"
        assert len(await place.events(type="opmas.agent.exited", after=0)) == 1


@in_loop
async def test_a_stop_with_systemctl_while_the_manager_is_away_is_held(place):
    async with place:
        await place.create()
        await place.kill()
        place.units.admin_stop("web")
        await place.start()

        view = await place.phase("stopped")

        assert view["held_by"] == "systemctl"


@in_loop
async def test_a_deleted_database_is_made_anew_and_said(place):
    async with place:
        await place.create(config={"naps": 4})
        last = (await place.call("host.status"))["events"]["last"]

        for path in place.database.parent.glob("manager.db*"):
            path.unlink()
        await place.until(place.database.exists, "the database is there again")
        await place.create("two")

        assert [e["data"]["code"] for e in await place.events(type="opmas.manager.problem")] == [
            "database-lost"
        ]
        sequences = [e["sequence"] for e in await place.events(after=last)]
        assert sequences == list(range(last + 1, last + 1 + len(sequences)))
        await place.stop()
        await place.start()
        assert (await place.show())["config"] == {"naps": 4}


@pytest.mark.parametrize("kind", ["garbage", "truncated", "deleted"])
@in_loop
async def test_a_damaged_database_at_the_start_is_rebuilt_from_the_agents_files(place, kind):
    async with place:
        before = await place.create(config={"naps": 4})
        await place.stop()
        for path in place.database.parent.glob("manager.db-*"):
            path.unlink()
        if kind == "garbage":
            place.database.write_bytes(os.urandom(20_000))
        elif kind == "truncated":
            os.truncate(place.database, 5000)
        else:
            place.database.unlink()
        await place.start()

        view = await place.show()

        assert (view["phase"], view["main_pid"]) == ("running", before["main_pid"])
        assert view["config"] == {"naps": 4}


@in_loop
async def test_a_database_that_cannot_be_read_for_now_is_not_thrown_away(place):
    async with place:
        before = await place.create(config={"naps": 4})
        await place.stop()
        aside = place.database.with_name("kept")
        place.database.rename(aside)
        place.database.mkdir()  # "unable to open database file"
        await place.start()
        assert (await place.call("host.status"))["problems"][0]["code"] == "database-unavailable"
        assert (await place.show())["main_pid"] == before["main_pid"]

        place.database.rmdir()
        aside.rename(place.database)
        await place.until(lambda: not place.manager.writer.saver.behind, "all is saved")

        assert (await place.call("host.status"))["problems"] == []
        assert min(e["sequence"] for e in await place.events(after=0)) == 1


@in_loop
async def test_a_database_that_cannot_be_written_stops_no_agent_and_is_caught_up_with(place):
    async with place:
        await place.create()
        other = sqlite3.connect(place.database)
        other.execute("BEGIN EXCLUSIVE")  # as good as a full disk: every write fails

        with pytest.raises((StoreError, ManagerError)):
            await place.create("two", wait=0)
        place.units.crash("web")
        await place.until(lambda: place.manager.writer.roster.get("web").last_exit, "it exited")
        assert (await place.call("host.status"))["state"] == "degraded"
        other.rollback()
        other.close()
        await place.until(lambda: not place.manager.writer.saver.behind, "all is saved")

        assert len(await place.events(type="opmas.agent.exited", after=0)) == 1
        assert [a["name"] for a in (await place.call("agent.list"))["agents"]] == ["web"]
        sequences = [e["sequence"] for e in await place.events(after=0)]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


@in_loop
async def test_a_lost_systemd_is_said_and_over_when_it_is_back(place):
    async with place:
        await place.create()

        place.units.disconnect()
        await place.until(place.manager._problems.present, "the problem is known")
        lost = await place.call("host.status")
        place.units.reconnect()
        await place.until(lambda: not place.manager._problems.present(), "the problem is over")

        assert lost["problems"][0]["code"] == "systemd-unavailable"
        assert (await place.show())["phase"] == "running"


@in_loop
async def test_a_package_that_goes_stops_its_agents_and_brings_them_back(place):
    async with place:
        await place.create()
        manifest = place.path / "packages/nap/agent.yaml"
        text = manifest.read_text()

        manifest.unlink()
        assert (await place.call("package.scan"))["removed"] == ["nap"]
        gone = await place.phase("stopped")
        manifest.write_text(text)
        assert (await place.call("package.scan"))["added"] == ["nap"]
        await place.phase("running")

        assert gone["reason"] == "package-missing"


@in_loop
async def test_a_bad_package_is_refused_with_all_its_faults_and_harms_no_other(place):
    bad = place.add_package("bad")
    (bad / "agent.yaml").write_text("api: opmas.agent/v1\nname: [\n")
    worse = place.add_package("worse", "sandbox: {netwrk: full}\nlimits: {tasks_max: many}")
    async with place:
        result = await place.call("package.scan")

        refused = {r["path"]: r["problems"] for r in result["refused"]}
        assert len(refused[str(worse / "agent.yaml")]) == 2
        assert str(bad / "agent.yaml") in refused
        assert [p["name"] for p in (await place.call("package.list"))["packages"]] == ["nap"]


@in_loop
async def test_every_event_has_its_number_and_waiters_get_the_next_one(place):
    async with place:
        await place.create()
        last = (await place.call("host.status"))["events"]["last"]

        page = await place.call("event.list", after=last, wait=0.1)
        assert page == {"events": [], "last": last}
        place.units.crash("web")
        page = await place.call("event.list", after=last, wait=10)

        assert page["events"][0]["sequence"] == last + 1
        assert page["events"][0]["type"] == "opmas.agent.exited"
