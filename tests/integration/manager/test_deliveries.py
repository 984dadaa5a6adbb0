"""Bundles that Debian packages deliver: installed, given to agents, held, withdrawn."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.job import JobKind
from opmas.errors import ManagerError
from opmas.manager.changes import store
from opmas.packages.deb import Deb
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.integration.manager.stories import delivers, runs_delivered
from tests.loop import in_loop

if TYPE_CHECKING:
    from opmas.core.change.change import Change

DEB = "opmas-agent-snore"


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path, changes={"watch": 0})


def changes(place: Place) -> list[tuple[str, str]]:
    """Return the kinds and states of all changes, in order."""
    found = sorted(place.manager.writer.roster.changes.values(), key=lambda c: c.id)
    return [(str(c.kind), str(c.state)) for c in found]


def last(place: Place) -> Change:
    return max(place.manager.writer.roster.changes.values(), key=lambda c: c.id)


async def at_rest(place: Place) -> None:
    writer = place.manager.writer

    def over() -> bool:
        return not writer._items and all(c.is_final for c in writer.roster.changes.values())

    await place.until(over, "rest")


async def rounds(place: Place, number: int = 3) -> None:
    """Let the manager make so many of its rounds."""
    for _ in range(number):
        await place.manager.upkeep._round()
        await at_rest(place)


async def deliver(place: Place, version: str, **keys: Any) -> None:
    place.debs[DEB] = Deb(DEB, f"{version}-1", configured=True)
    place.delivered.mkdir(exist_ok=True)
    shutil.copy(stock.bundle("snore", version, **keys), place.delivered)
    await place.call("package.scan")
    await at_rest(place)


async def version(place: Place) -> str:
    return str((await place.show())["version"])


@in_loop
async def test_what_is_delivered_is_installed_once(place):
    async with place:
        await deliver(place, "1.0.0")
        await place.call("package.scan")
        await rounds(place)

        [package] = [
            p for p in (await place.call("package.list"))["packages"] if p["name"] == "snore"
        ]
        assert changes(place) == [("install", "committed")]
        assert [(v["version"], v["trust"], v["delivered_by"]) for v in package["versions"]] == [
            ("1.0.0", "key", f"deb:{DEB}")
        ]


@in_loop
async def test_what_was_delivered_while_the_manager_was_away_is_found(place):
    async with place:
        await place.stop()
        place.debs[DEB] = Deb(DEB, "1.0.0-1", configured=True)
        place.delivered.mkdir()
        shutil.copy(stock.bundle(), place.delivered)

        await place.start()
        await at_rest(place)

        assert changes(place) == [("install", "committed")]


@in_loop
async def test_a_delivery_that_is_no_bundle_is_refused_once(place):
    async with place:
        place.delivered.mkdir()
        (place.delivered / "snore-1.0.0.opmas").write_bytes(b"nonsense" * 100)
        await rounds(place)

        assert changes(place) == [("install", "refused")]


@in_loop
async def test_agents_are_given_what_is_delivered(place):
    async with place:
        await runs_delivered(place)

        await deliver(place, "2.0.0")

        assert await version(place) == "2.0.0"
        assert changes(place)[1:] == [("install", "committed"), ("update", "committed")]
        assert (last(place).author, last(place).automatic) == ("dpkg", True)


@in_loop
async def test_a_round_in_the_middle_of_a_delivery_does_not_update_twice(place):
    place.worker.hangs_after.add(JobKind.INSTALL)
    async with place:
        await runs_delivered(place)
        await delivers("2.0.0")(place)
        await place.until((place.packages / "snore/2.0.0/agent.yaml").exists, "it is there")

        await place.manager.upkeep._round()
        place.worker.go_on()
        await at_rest(place)

        assert changes(place)[1:] == [("install", "committed"), ("update", "committed")]


@in_loop
async def test_an_operator_who_updates_by_hand_is_asked_first(tmp_path):
    place = Place(tmp_path, changes={"watch": 0}, packages={"updates": "manual"})
    async with place:
        await runs_delivered(place)

        await deliver(place, "2.0.0")
        await rounds(place)

        assert await version(place) == "1.0.0"
        assert changes(place)[1:] == [("install", "committed")]


@in_loop
async def test_a_package_that_is_held_stays_until_it_is_let_go(place):
    async with place:
        await runs_delivered(place)
        held = await place.call("package.hold", name="snore", hold=True)
        await deliver(place, "2.0.0")
        before = await version(place)

        await place.call("package.hold", name="snore", hold=False)
        await rounds(place)

        assert held["package"]["held"] is True
        assert (before, await version(place)) == ("1.0.0", "2.0.0")


@in_loop
async def test_a_delivered_version_that_is_bad_is_not_tried_again_by_itself(tmp_path):
    place = Place(tmp_path)
    async with place:
        await runs_delivered(place)

        def run(unit: str) -> None:
            place.units.failing.pop(unit, None)
            if "/2.0.0" in (place.unit_dir / f"{unit}.d/50-opmas.conf").read_text():
                place.units.failing[unit] = 1

        place.units.runs = run
        await deliver(place, "2.0.0")
        await rounds(place)

        assert await version(place) == "1.0.0"
        assert changes(place)[1:] == [("install", "committed"), ("update", "reverted")]


@in_loop
async def test_an_update_that_is_refused_is_not_asked_for_again_and_again(place):
    async with place:
        await runs_delivered(place)

        await deliver(place, "2.0.0", sandbox={"proc": "host"})
        await rounds(place)

        assert changes(place)[1:] == [("install", "committed"), ("update", "refused")]
        assert "proc=host" in last(place).message


@in_loop
async def test_an_update_that_was_refused_is_tried_when_its_agent_was_changed(place):
    async with place:
        await runs_delivered(place)
        await place.create("other")
        await deliver(place, "2.0.0", conflicts=["nap"])
        await rounds(place)
        await place.call("agent.remove", name="other", wait=10)

        await place.call("agent.put", name="web", package="snore", config={"naps": 2}, wait=10)
        await rounds(place)

        assert await version(place) == "2.0.0"


@in_loop
async def test_a_rollback_holds_what_is_delivered_from_the_moment_it_is_asked_for(place):
    place.worker.hangs.add(JobKind.REHEARSE)
    async with place:
        await runs_delivered(place)
        place.worker.go_on()
        await deliver(place, "2.0.0")
        place.worker.hangs.add(JobKind.REHEARSE)

        asked = asyncio.create_task(place.call("agent.rollback", name="web", window=0, wait=30))
        await place.until(lambda: last(place).kind == "rollback", "it is asked for")
        await place.kill()
        with pytest.raises(ManagerError):
            await asked
        place.worker.go_on()
        await place.start()
        await at_rest(place)
        await rounds(place)

        assert await version(place) == "1.0.0"
        assert (await place.call("package.show", name="snore"))["held"] is True


@pytest.mark.parametrize("late", [False, True], ids=["under-way", "ended"])
@in_loop
async def test_an_update_that_somebody_undoes_is_not_made_again(place, late):
    async with place:
        await runs_delivered(place)
        if not late:
            place.worker.hangs.add(JobKind.REHEARSE)
        await delivers("2.0.0")(place)
        await place.until(lambda: last(place).kind == "update", "it is updated")
        if late:
            await at_rest(place)

        await place.call("change.undo", id=last(place).id, wait=10)
        place.worker.go_on()
        await at_rest(place)
        await rounds(place)

        assert await version(place) == "1.0.0"
        assert (await place.call("package.show", name="snore"))["held"] is True


@in_loop
async def test_what_a_removed_debian_package_brought_is_withdrawn_and_deleted(place):
    async with place:
        await deliver(place, "1.0.0")
        del place.debs[DEB]
        (place.delivered / "snore-1.0.0.opmas").unlink()
        await place.call("package.scan")

        await rounds(place)

        assert not (place.packages / "snore").exists()
        assert changes(place) == [("install", "committed"), ("remove", "committed")]


@in_loop
async def test_a_withdrawn_version_that_an_agent_runs_is_not_deleted(place):
    async with place:
        await runs_delivered(place)
        del place.debs[DEB]
        await place.call("package.scan")

        await rounds(place)

        assert (place.packages / "snore/1.0.0/agent.yaml").exists()
        assert (await place.show())["reason"] == "package-missing"


@in_loop
async def test_what_is_delivered_again_after_it_was_deleted_is_installed_again(place):
    async with place:
        await deliver(place, "1.0.0")
        bundle = place.delivered / "snore-1.0.0.opmas"
        del place.debs[DEB]
        bundle.rename(place.path / bundle.name)
        await place.call("package.scan")
        await rounds(place)

        place.debs[DEB] = Deb(DEB, "1.0.0-1", configured=True)
        (place.path / bundle.name).rename(bundle)  # as dpkg, with the time of the archive
        await place.call("package.scan")
        await at_rest(place)

        assert (place.packages / "snore/1.0.0/agent.yaml").exists()


@in_loop
async def test_only_the_newest_versions_are_kept_and_all_that_agents_run(place, monkeypatch):
    monkeypatch.setattr(store, "GRACE", timedelta(0))
    async with place:
        stock.install(place.packages, "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")
        await place.call("package.scan")
        await place.create(package="snore", version="1.1.0")

        await rounds(place)

        left = {p.name for p in (place.packages / "snore").iterdir()}
        assert left == {"1.1.0", "1.2.0", "1.3.0", "1.4.0"}
        assert (last(place).author, last(place).automatic) == ("manager", True)


@in_loop
async def test_a_version_that_a_waiting_change_wants_is_kept(place, monkeypatch):
    monkeypatch.setattr(store, "GRACE", timedelta(0))
    async with place:
        stock.install(place.packages, "1.0.0", "1.1.0")
        await place.call("package.scan")
        await place.create(package="snore", version="1.1.0")
        place.worker.hangs.add(JobKind.REHEARSE)
        await place.call("agent.rollback", name="web", window=0)
        stock.install(place.packages, "1.2.0", "1.3.0", "1.4.0")
        await place.manager.upkeep._round()

        place.worker.go_on()
        await at_rest(place)

        assert (await place.phase("running"))["version"] == "1.0.0"
