"""The ladder of recovery over the control socket: undone, quarantined, released, told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opmas.errors import InvalidError
from tests.integration.manager.place import Place
from tests.integration.manager.stories import runs
from tests.loop import in_loop

if TYPE_CHECKING:
    from collections.abc import Callable

UNIT = "opmas-agent@web.service"


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path, recovery={"first_delay": 1, "undo_after": 1, "max_failures": 0})


def fails(place: Place, when: Callable[[str], bool]) -> None:
    """Let the program exit whenever it is started with a drop-in that fits."""

    def run(unit: str) -> None:
        place.units.failing.pop(unit, None)
        if when((place.unit_dir / f"{unit}.d/50-opmas.conf").read_text()):
            place.units.failing[unit] = 1

    place.units.runs = run


async def alerts(place: Place) -> list[tuple[str, str]]:
    found = (await place.call("alert.list"))["alerts"]
    return [(alert["alert"], alert["severity"]) for alert in found]


async def told(place: Place, kind: str) -> list[dict[str, Any]]:
    events = (await place.call("event.list", type=kind))["events"]
    return [event["data"] for event in events]


@in_loop
async def test_a_version_that_fails_after_its_watch_is_undone_by_the_ladder(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        update = await place.call("agent.update", name="web", version="2.0.0", window=0.1, wait=10)
        number = update["change"]["id"]
        assert update["change"]["state"] == "committed"

        fails(place, lambda text: "/2.0.0" in text)
        place.units.exit("web", 1)

        roster = place.manager.writer
        await place.until(
            lambda: (
                roster.roster.agents["web"].spec.version == "1.0.0"
                and roster.roster.agents["web"].phase == "running"
            ),
            "it runs as before",
        )
        back = (await place.call("change.list", agent="web"))["changes"][0]
        assert (back["undo_of"], back["state"], back["author"]) == (number, "committed", "opmas")
        explanation = await place.call("agent.explain", name="web")
        assert explanation["decisions"][0]["rung"] == "undo"
        assert explanation["decisions"][0]["inputs"]["suspect"] == number
        assert await alerts(place) == [("undone", "warning")]
        assert [d["rung"] for d in await told(place, "opmas.agent.recovery")] == ["undo"]
        assert (await place.call("host.status"))["alerts"]["warning"] == 1


@in_loop
async def test_a_quarantine_is_an_alert_until_the_agent_is_another(place):
    async with place:
        await place.create()
        fails(place, lambda _text: True)
        place.units.exit("web", 1)
        await place.phase("quarantined")

        up = await alerts(place)
        place.units.runs = lambda unit: place.units.failing.pop(unit, None)
        await place.call("agent.put", name="web", package="nap", config={"naps": 2}, wait=10)

        await place.phase("running")
        assert up == [("quarantined", "critical")]
        assert await alerts(place) == []
        raised = await told(place, "opmas.alert.raised")
        cleared = await told(place, "opmas.alert.cleared")
        assert [d["alert"] for d in (*raised, *cleared)] == ["quarantined", "quarantined"]
        assert [d["cause"] for d in await told(place, "opmas.agent.quarantined")] == ["crashed"]


@in_loop
@pytest.mark.parametrize("is_away", [False, True], ids=["seen", "while the manager is away"])
async def test_a_package_that_dpkg_updates_releases_what_failed_with_the_one_before(
    place, is_away
):
    async with place:
        await place.create()
        fails(place, lambda _text: True)
        place.units.exit("web", 1)
        await place.phase("quarantined")

        place.units.runs = lambda unit: place.units.failing.pop(unit, None)
        if is_away:
            await place.stop()
        place.add_package("nap", "links: {homepage: 'https://example.org/'}")
        if is_away:
            await place.start()
        else:
            await place.call("package.scan")

        await place.phase("running")


@in_loop
async def test_an_alert_stands_since_it_began_over_restarts_of_the_manager(place):
    async with place:
        await place.create()
        fails(place, lambda _text: True)
        place.units.exit("web", 1)
        await place.phase("quarantined")
        before = (await place.call("alert.list"))["alerts"]

        await place.stop()
        await place.start()

        (raised,) = await place.events(type="opmas.alert.raised")
        after = (await place.call("alert.list"))["alerts"]
        assert [a["since"] for a in after] == [raised["time"]]
        assert [a["message"] for a in after] == [a["message"] for a in before]


@in_loop
async def test_an_alert_that_stood_before_a_boot_and_does_not_hold_any_more_is_taken_back(place):
    async with place:
        await place.create()
        told_ = {"alert": "unhealthy", "message": "no disk"}
        place.manager.writer.announce("opmas.alert.raised", "agent/web", told_)
        await place.stop()
        (place.path / "run/boot-id").unlink()
        await place.start()
        await place.phase("running")

        assert [d["message"] for d in await told(place, "opmas.alert.cleared")] == ["no disk"]
        assert await alerts(place) == []


@in_loop
async def test_decisions_and_a_policy_of_its_own_outlive_the_manager(place):
    async with place:
        await place.create(recovery={"max_failures": 7, "first_delay": 600, "max_delay": 600})
        fails(place, lambda _text: True)
        place.units.exit("web", 1)
        await place.phase("backoff")

        await place.stop()
        await place.start()

        view = await place.show()
        assert view["own_recovery"] == {"max_failures": 7, "first_delay": 600, "max_delay": 600}
        assert view["recovery"]["undo_after"] == 1
        explanation = await place.call("agent.explain", name="web")
        assert explanation["decisions"][0]["reason"] == "crashed"
        assert "One more failure" in explanation["ladder"][0]


@in_loop
async def test_a_policy_is_a_change_of_settings_and_a_wrong_one_is_refused(place):
    async with place:
        await place.create()

        change = await place.call(
            "agent.put", name="web", package="nap", recovery={"give_up_on": [3]}, dry_run=True
        )
        with pytest.raises(InvalidError) as caught:
            await place.call("agent.put", name="web", package="nap", recovery={"undo": 1})

        assert change["plan"]["kind"] == "settings"
        assert caught.value.problems[0].startswith("recovery.undo: must be true or false")
