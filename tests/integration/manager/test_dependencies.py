"""Agents that need each other: resolved before anything is changed, and carried through a life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opmas.errors import InUseError, InvalidError
from tests.fakes.bound import BoundUnits
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from pathlib import Path


class Tied(Place):
    """A place where `web` requires `db`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.units = BoundUnits()
        self.units.bind("web", "db")
        self._equip()
        self.add_package("site", "requires: [db]")
        self.add_package("soft", "wants: [db]")

    async def both(self) -> None:
        await self.create("db")
        await self.create("web", package="site")


@pytest.fixture
def place(tmp_path) -> Tied:
    return Tied(tmp_path)


async def phases(place: Place, *wanted: tuple[str, str, str]) -> None:
    """Wait until each agent is in a phase for a reason."""
    agents = place.manager.writer

    def now() -> list[tuple[str, str, str]]:
        found = (agents.roster.agents[name] for name, _phase, _reason in wanted)
        return [(a.name, str(a.phase), str(a.reason)) for a in found]

    await place.until(lambda: now() == list(wanted), f"{wanted}")


# ---- before anything is changed ----


@in_loop
async def test_who_requires_an_agent_that_is_not_there_is_refused_with_the_path(place):
    place.add_package("shop", "requires: [web]")
    async with place:
        with pytest.raises(InvalidError) as caught:
            await place.create("web", package="site")

        assert 'there is no agent "db" (web -> db)' in caught.value.problems[0]
        assert await place.call("agent.list") == {"agents": []}


@in_loop
async def test_agents_that_require_each_other_are_refused_with_the_path(place):
    place.add_package("ring", "requires: [web]")
    async with place:
        await place.both()

        with pytest.raises(InvalidError, match="db -> web -> db"):
            await place.call("agent.put", name="db", package="ring")

        assert (await place.show("db"))["package"] == "nap"


@in_loop
async def test_agents_that_wait_for_each_other_are_refused_with_the_path(place):
    async with place:
        await place.create("db")
        await place.create("web", package="nap", after=["db"])

        with pytest.raises(InvalidError, match=r"db -> web -> db|web -> db -> web"):
            await place.create("db", after=["web"])


@in_loop
async def test_who_is_required_is_not_removed(place):
    async with place:
        await place.both()

        with pytest.raises(InUseError, match='cannot remove agent "db": it is required by web'):
            await place.call("agent.remove", name="db")
        await place.call("agent.remove", name="web", wait=10)
        await place.call("agent.remove", name="db", wait=10)

        assert await place.call("agent.list") == {"agents": []}


@in_loop
async def test_packages_that_refuse_each_other_are_not_on_one_host(place):
    place.add_package("loner", "conflicts: [nap]")
    async with place:
        await place.create("db")

        with pytest.raises(InvalidError, match="conflicts"):
            await place.create("one", package="loner")
        await place.call("agent.remove", name="db", wait=10)
        await place.create("one", package="loner")
        with pytest.raises(InvalidError, match='agent "one" refuses the package nap'):
            await place.create("db")


# ---- in a life ----


@in_loop
async def test_a_boot_starts_what_is_required_first(place):
    async with place:
        await place.both()
        last = (await place.call("host.status"))["events"]["last"]

        await place.stop()
        (place.path / "run/boot-id").unlink()
        place.units.states.clear()
        await place.start()
        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))

        told = await place.events(type="opmas.agent.phase", after=last)
        up = [e["subject"] for e in told if e["data"]["to"] == "running"]
        assert up == ["agent/db", "agent/web"]


@in_loop
async def test_an_agent_comes_back_after_what_it_requires_crashed(place):
    async with place:
        await place.both()
        before = await place.show("web")

        place.units.crash("db")
        await place.until(lambda: place.manager.writer.roster.get("web").phase == "stopping", "")
        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))

        after = await place.show("web")
        assert after["main_pid"] != before["main_pid"]
        assert (after["held_by"], after["desired"]) == (None, "running")


@in_loop
async def test_an_agent_waits_while_what_it_requires_is_held(place):
    async with place:
        await place.both()

        place.units.admin_stop("db")
        await phases(
            place, ("db", "stopped", "held-by-systemctl"), ("web", "stopped", "dependency-down")
        )
        waiting = await place.show("web")
        await place.call("agent.start", name="db", wait=10)
        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))

        assert waiting["held_by"] is None


@in_loop
async def test_a_start_of_what_cannot_run_starts_nothing_behind_an_admins_back(place):
    async with place:
        await place.both()
        await place.call("agent.stop", name="db", wait=10)
        await phases(place, ("web", "stopped", "dependency-down"))
        place.units.calls.clear()

        view = await place.call("agent.start", name="web", wait=5)

        assert (view["phase"], view["reason"]) == ("stopped", "dependency-down")
        assert 'agent "db" is stopped' in view["message"]
        assert not [c for c in place.units.calls if c[0] == "start"]
        assert (await place.show("db"))["phase"] == "stopped"


@in_loop
async def test_an_agent_waits_while_what_it_requires_cannot_start(place):
    async with place:
        await place.both()
        place.units.failing["opmas-agent@db.service"] = 78

        place.units.exit("db", 78)
        await place.phase("failed", "db")
        await phases(place, ("web", "stopped", "dependency-down"))
        place.units.failing.clear()
        await place.call("agent.start", name="db", wait=10)

        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))


@in_loop
async def test_an_agent_that_only_wants_another_stays_up_without_it(place):
    async with place:
        await place.create("db")
        before = await place.create("easy", package="soft")

        await place.call("agent.stop", name="db", wait=10)
        await place.call("agent.remove", name="db", wait=10)

        after = await place.show("easy")
        assert (after["phase"], after["main_pid"]) == ("running", before["main_pid"])


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@in_loop
async def test_an_update_of_what_is_required_brings_back_those_that_require_it(place, bad):
    async with place:
        stock.install(place.packages, "1.0.0", "2.0.0")
        await place.call("package.scan")
        await place.create("db", package="snore", version="1.0.0")
        await place.create("web", package="site")

        def run(unit: str) -> None:
            place.units.failing.pop(unit, None)
            text = (place.unit_dir / f"{unit}.d/50-opmas.conf").read_text()
            if bad and "snore/2.0.0" in text:
                place.units.failing[unit] = 1

        place.units.runs = run
        answer = await place.call(
            "agent.update", name="db", version="2.0.0", window=5 if bad else 0.2, wait=15
        )

        assert answer["change"]["state"] == ("reverted" if bad else "committed")
        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))
        assert (await place.show("web"))["held_by"] is None


@in_loop
async def test_a_killed_manager_comes_back_to_agents_that_need_each_other(place):
    async with place:
        await place.both()
        place.units.failing["opmas-agent@db.service"] = 78
        place.units.exit("db", 78)
        await place.phase("failed", "db")
        await phases(place, ("web", "stopped", "dependency-down"))
        await place.kill()
        await place.start()
        waits = await place.show("web")

        place.units.failing.clear()
        await place.call("agent.start", name="db", wait=10)

        assert (waits["phase"], waits["held_by"]) == ("stopped", None)
        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))


@in_loop
async def test_what_happened_to_a_dependency_while_the_manager_was_away_is_no_hold(place):
    async with place:
        await place.both()
        await place.kill()
        place.units.crash("db")
        await place.until(lambda: not place.units.at_work(), "db is back")

        await place.start()

        await phases(place, ("db", "running", "ready"), ("web", "running", "ready"))
        assert (await place.show("web"))["held_by"] is None


@in_loop
async def test_a_stop_with_systemctl_while_the_manager_was_away_is_a_hold(place):
    async with place:
        await place.both()
        await place.kill()
        place.units.admin_stop("web")
        await place.until(lambda: not place.units.at_work(), "web is down")

        await place.start()

        await phases(place, ("db", "running", "ready"), ("web", "stopped", "held-by-systemctl"))
