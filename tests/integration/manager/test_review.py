"""Changes in the order of versions, beside each other, and what is left of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opmas.core.change.knownbad import Bad, key
from opmas.core.job import JobKind, Outcome
from opmas.errors import RevisionError
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.integration.manager.stories import MIGRATES, delivers, runs, runs_delivered
from tests.loop import in_loop


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path, changes={"watch": 0})


async def change(place: Place, method: str, **params: Any) -> dict[str, Any]:
    """Ask for a change, and return its view when it has ended."""
    answer = await place.call(method, wait=10, author="op", **params)
    found: dict[str, Any] = answer["change"]
    return found


@in_loop
async def test_data_is_migrated_whichever_way_the_version_changes(place):
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)

        up = await change(place, "agent.update", name="web", version="2.0.0")
        down = await change(place, "agent.rollback", name="web", version="1.0.0")
        undone = await change(place, "change.undo", id=down["id"])
        by_name = await change(place, "agent.update", name="web", version="1.0.0")
        await place.call("agent.put", name="web", package="snore", version="2.0.0", wait=10)
        await place.call("agent.put", name="web", package="snore", version="1.0.0", wait=10)

        kinds = [each["kind"] for each in (up, down, undone, by_name)]
        assert kinds == ["update", "rollback", "update", "rollback"]
        assert place.migrations.runs == ["1.0.0->2.0.0", "2.0.0->1.0.0"] * 3


@in_loop
async def test_an_agent_of_the_hosts_own_version_names_none(place):
    async with place:
        stock.install(place.packages, "2.0.0", name="nap")
        await place.call("package.scan")
        await place.create("web")

        await change(place, "agent.update", name="web", version="2.0.0")
        await change(place, "agent.rollback", name="web", version="1.0.0")
        manifest = place.add_package("nap") / "agent.yaml"
        manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))
        await place.call("package.scan")

        view = await place.show()
        assert (view["version"], view["package_version"]) == (None, "1.1.0")


@in_loop
async def test_two_spellings_of_a_version_are_two_versions(place):
    async with place:
        await runs("1.0", "1.0.0")(place)

        found = await change(place, "agent.update", name="web", version="1.0.0")

        assert found["state"] == "committed"
        assert (await place.show())["version"] == "1.0.0"


@in_loop
async def test_a_version_is_asked_for_in_any_spelling(place):
    async with place:
        await runs("1.0.0", "2.0.0rc1")(place)

        await change(place, "agent.update", name="web", version="2.0.0-RC1")
        updated = (await place.show())["version"]
        await place.call("package.update", name="snore", version="v1.0.0", wait=10)

        assert updated == "2.0.0rc1"
        assert (await place.show())["version"] == "1.0.0"


def held(place: Place) -> bool:
    return "snore" in place.manager.writer.roster.holds


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("agent.update", {"name": "web"}),
        ("agent.put", {"name": "web", "package": "snore"}),
        ("package.update", {"name": "snore"}),
    ],
)
@in_loop
async def test_whoever_puts_an_agent_behind_what_was_delivered_holds_it_there(
    place, method, params
):
    async with place:
        await runs_delivered(place)
        await deliver(place, "2.0.0")

        await place.call(method, version="1.0.0", wait=10, **params)
        await place.manager.upkeep._round()
        await at_rest(place)

        assert (await place.show())["version"] == "1.0.0"
        assert held(place)


@in_loop
async def test_a_way_back_to_what_is_delivered_now_holds_nothing(place):
    async with place:
        await runs_delivered(place)
        await deliver(place, "1.0.0")
        stock.install(place.packages, "2.0.0")
        await place.call("package.scan")
        await change(place, "agent.update", name="web", version="2.0.0")

        await change(place, "agent.rollback", name="web", version="1.0.0")

        assert not held(place)


@in_loop
async def test_a_step_back_that_is_refused_holds_nothing(place):
    async with place:
        await runs_delivered(place)
        await deliver(place, "2.0.0")
        place.worker.told[JobKind.REHEARSE] = lambda _job: Outcome(
            ok=False, code="invalid-value", message="its files are not what was installed"
        )

        found = await change(place, "agent.rollback", name="web")
        await place.until(lambda: not held(place), "it is let go")

        assert found["state"] == "refused"


@in_loop
async def test_a_withdrawn_version_is_not_given_to_agents_again(place):
    async with place:
        await runs_delivered(place)
        await deliver(place, "2.0.0")
        (place.delivered / "snore-2.0.0.opmas").unlink()  # a downgraded .deb

        await change(place, "agent.update", name="web", version="1.0.0")
        await place.manager.upkeep._round()
        await at_rest(place)

        assert (await place.show())["version"] == "1.0.0"
        assert not held(place)


@in_loop
async def test_an_agent_that_is_down_does_not_wait_for_apt(tmp_path):
    place = Place(tmp_path)
    place.worker.hangs.add(JobKind.APT_INSTALL)
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)
        asked = await place.call("agent.update", name="web", version="2.0.0", window=60)
        id_ = asked["change"]["id"]
        writer = place.manager.writer
        await place.until(lambda: writer.roster.changes[id_].state == "watching", "watched")
        await place.call("package.install", name="other")
        await place.until(lambda: "apt-install" in place.worker.kinds(), "apt is at work")

        undone = await change(place, "change.undo", id=id_)

        assert undone["state"] == "reverted"
        assert (await place.show())["phase"] == "running"


@in_loop
async def test_a_version_that_a_change_may_go_back_to_is_not_removed(tmp_path):
    place = Place(tmp_path)
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        asked = await place.call("agent.update", name="web", version="2.0.0", window=60)
        id_ = asked["change"]["id"]
        writer = place.manager.writer
        await place.until(lambda: writer.roster.changes[id_].state == "watching", "watched")

        removed = await change(place, "package.remove", name="snore", version="1.0.0")
        undone = await change(place, "change.undo", id=id_)

        assert removed["state"] == "refused"
        assert f"change {id_} may go back to it" in removed["message"]
        assert undone["state"] == "reverted"
        assert (await place.show())["phase"] == "running"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("agent.update", {"version": "2.0.0"}),
        ("agent.rollback", {"version": "2.0.0"}),
        ("agent.put", {"package": "snore", "version": "2.0.0"}),
        ("agent.remove", {}),
    ],
)
@in_loop
async def test_a_plan_is_of_the_agent_as_it_was_expected(place, method, params):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        revision = (await place.show())["revision"]

        with pytest.raises(RevisionError):
            await place.call(method, name="web", expect=revision + 1, dry_run=True, **params)


def versions(place: Place) -> list[str]:
    return [p.version for p in place.manager.shelf.packages.versions("snore")]


@in_loop
async def test_a_delivered_version_that_somebody_removed_stays_away(place):
    async with place:
        await runs_delivered(place)
        await place.call("package.hold", name="snore", hold=True)
        await deliver(place, "2.0.0")

        await change(place, "package.remove", name="snore", version="2.0.0")
        await place.stop()
        await place.start()
        await place.manager.upkeep._round()
        await at_rest(place)

        assert versions(place) == ["1.0.0"]


@in_loop
async def test_a_removed_version_comes_back_when_it_is_delivered_again(place):
    async with place:
        await runs_delivered(place)
        await place.call("package.hold", name="snore", hold=True)
        await deliver(place, "2.0.0")
        await change(place, "package.remove", name="snore", version="2.0.0")

        (place.delivered / "snore-2.0.0.opmas").unlink()
        await deliver(place, "2.0.0")

        assert versions(place) == ["2.0.0", "1.0.0"]


@in_loop
async def test_an_update_that_was_refused_is_not_tried_by_the_next_manager(place):
    async with place:
        await runs_delivered(place)
        place.worker.told[JobKind.REHEARSE] = lambda _job: Outcome(
            ok=False, code="no-space", message="the disk is full"
        )
        await deliver(place, "2.0.0")
        before = place.manager.writer.roster.last_change

        await place.stop()
        await place.start()
        await place.manager.upkeep._round()
        await at_rest(place)

        assert place.manager.writer.roster.changes[before].state == "refused"
        assert place.manager.writer.roster.last_change == before


@in_loop
async def test_who_lets_a_package_go_has_its_agents_updated_at_once(place):
    async with place:
        await runs_delivered(place)
        place.worker.hangs.add(JobKind.REHEARSE)
        await delivers("2.0.0")(place)
        writer = place.manager.writer
        await place.until(
            lambda: any(c.kind == "update" for c in writer.roster.changes.values()),
            "it is updated",
        )
        asked = await place.call("change.undo", id=writer.roster.last_change)
        place.worker.go_on()
        await at_rest(place)

        await place.call("package.hold", name="snore", hold=False)
        await place.manager.upkeep._round()

        assert asked["change"]["author"] == "dpkg"
        await place.until(lambda: writer.roster.agents["web"].spec.version == "2.0.0", "2.0.0")


@in_loop
async def test_what_was_tried_is_forgotten_with_the_agent_as_it_was(place):
    async with place:
        await runs_delivered(place)

        await deliver(place, "2.0.0")
        await place.manager.upkeep._round()

        await place.until(lambda: not place.manager.writer.roster.bad, "nothing is remembered")


@in_loop
async def test_a_plan_says_that_the_version_was_undone_before(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        bad = {key("snore", "2.0.0"): Bad(2, 0.0, "crashed")}
        place.manager.writer.post_step(lambda roster, _now: (replace(roster, bad=bad), ()))

        planned = await place.call("agent.update", name="web", version="2.0.0", dry_run=True)
        done = await change(place, "agent.update", name="web", version="2.0.0")

        assert planned["change"]["facts"] == ["snore 2.0.0 was undone 2 times before: crashed."]
        assert done["facts"] == []


@in_loop
async def test_a_plan_says_what_it_holds(place):
    async with place:
        await runs_delivered(place)
        await deliver(place, "2.0.0")

        planned = await place.call("agent.rollback", name="web", dry_run=True)

        assert "The package snore is held" in planned["change"]["facts"][0]
        assert not held(place)


async def deliver(place: Place, version: str) -> None:
    await delivers(version)(place)
    await at_rest(place)


async def at_rest(place: Place) -> None:
    writer = place.manager.writer
    await place.until(lambda: all(c.is_final for c in writer.roster.changes.values()), "rest")
