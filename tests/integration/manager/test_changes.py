"""Changes of agents over the control socket: made, watched, kept, undone, queued."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.job import JobKind, Outcome
from opmas.errors import (
    GrantError,
    InvalidError,
    RequestError,
    RevisionError,
    StoreError,
    TransitionError,
    UnknownVersionError,
)
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.integration.manager.stories import MIGRATES, runs, write_data
from tests.loop import in_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable

UNIT = "opmas-agent@web.service"


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


async def update(place: Place, version: str = "2.0.0", **params: Any) -> dict[str, Any]:
    given = {"name": "web", "version": version, "window": 0.1, "wait": 10, **params}
    change: dict[str, Any] = (await place.call("agent.update", **given))["change"]
    return change


async def show(place: Place, id_: int) -> dict[str, Any]:
    return await place.call("change.show", id=id_)


async def ended(place: Place, id_: int) -> dict[str, Any]:
    changes = place.manager.writer
    await place.until(lambda: changes.roster.changes[id_].is_final, f"change {id_} is over")
    return await show(place, id_)


async def in_state(place: Place, id_: int, state: str) -> None:
    changes = place.manager.writer
    await place.until(lambda: changes.roster.changes[id_].state == state, f"{id_} is {state}")


def fails(place: Place, version: str) -> None:
    """Let that version exit whenever it is started."""

    def run(unit: str) -> None:
        place.units.failing.pop(unit, None)
        if f"/{version}" in (place.unit_dir / f"{unit}.d/50-opmas.conf").read_text():
            place.units.failing[unit] = 1

    place.units.runs = run


def states(change: dict[str, Any]) -> dict[str, str]:
    return {task["name"]: task["state"] for task in change["tasks"]}


# ---- versions ----


@in_loop
async def test_a_new_agent_names_the_newest_version(place):
    async with place:
        stock.install(place.packages, "1.0.0", "1.10.0", "1.9.0")
        await place.call("package.scan")

        view = await place.create(package="snore")

        assert (view["version"], view["package_version"]) == ("1.10.0", "1.10.0")


@in_loop
async def test_two_agents_of_a_package_run_two_versions(place):
    async with place:
        await runs("1.0.0", "2.0.0", names=("old", "new"))(place)

        await update(place, name="new")

        versions = {n: (await place.show(n))["version"] for n in ("old", "new")}
        assert versions == {"old": "1.0.0", "new": "2.0.0"}
        [package] = [
            p for p in (await place.call("package.list"))["packages"] if p["name"] == "snore"
        ]
        assert {v["version"]: v["agents"] for v in package["versions"]} == {
            "1.0.0": ["old"],
            "2.0.0": ["new"],
        }


@in_loop
async def test_an_update_is_watched_and_kept(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        before = await place.show()

        change = await update(place, author="ann")

        after = await place.show()
        assert (change["state"], change["reason"], change["author"]) == (
            "committed",
            "well",
            "ann",
        )
        assert (change["before"], change["after"]) == (
            {"version": "1.0.0"},
            {"version": "2.0.0"},
        )
        assert states(change)["snapshot"] == "skipped"
        assert change["restarts"] == ["web"]
        assert after["phase"] == "running"
        assert after["main_pid"] != before["main_pid"]
        assert (
            f"{place.packages}/snore/2.0.0"
            in (place.unit_dir / f"{UNIT}.d/50-opmas.conf").read_text()
        )


@in_loop
async def test_an_update_without_a_window_is_not_watched(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)

        change = await update(place, window=0)

        assert (change["state"], states(change)["watch"]) == ("committed", "skipped")


@in_loop
async def test_a_version_that_does_not_come_up_is_undone_and_remembered(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        fails(place, "2.0.0")

        change = await update(place, window=30)

        view = await place.phase("running")
        assert (change["state"], change["reason"]) == ("reverted", "failed-to-start")
        assert set(states(change).values()) == {"undone", "skipped"}
        assert change["facts"]
        assert view["version"] == "1.0.0"
        shown = await place.call("package.show", name="snore")
        bad = {v["version"]: v["bad_until"] for v in shown["versions"]}
        assert bad["1.0.0"] is None
        assert bad["2.0.0"] is not None


@in_loop
async def test_a_bad_version_may_be_tried_again_by_hand(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        fails(place, "2.0.0")
        await update(place, window=30)
        place.units.runs = lambda unit: place.units.failing.clear()

        change = await update(place)

        assert change["state"] == "committed"


@in_loop
async def test_data_that_was_migrated_is_as_before_after_an_undo(place):
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)
        fails(place, "2.0.0")

        change = await update(place, window=30)

        assert change["state"] == "reverted"
        assert place.migrations.runs == ["1.0.0->2.0.0"]
        assert (place.paths.agent_states / "web/data").read_text() == "one\n"


@in_loop
async def test_a_migration_that_fails_half_way_is_undone(place):
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)
        place.migrations.fails = True

        change = await update(place)

        assert change["state"] == "reverted"
        assert change["reason"] == "migration-failed"
        assert "the migration of snore 2.0.0 failed" in change["message"]
        assert (place.paths.agent_states / "web/data").read_text() == "one\n"
        assert (await place.phase("running"))["version"] == "1.0.0"


@in_loop
async def test_an_undo_ends_a_migration_that_hangs(place):
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)
        place.migrations.hangs = True
        change = await update(place, wait=0)
        await place.until(lambda: place.migrations.runs, "it migrates")

        await place.call("change.undo", id=change["id"])
        await place.until(lambda: not place.units.oneshots, "nothing is migrated any more")
        change = await ended(place, change["id"])

        assert (change["state"], change["reason"]) == ("reverted", "undone")
        assert (place.paths.agent_states / "web/data").read_text() == "one\n"


@in_loop
async def test_a_rollback_is_to_the_version_before_and_migrates_with_the_newer_code(place):
    async with place:
        await runs("1.0.0", "2.0.0", "1.5.0", data="one\n", **MIGRATES)(place)
        await update(place)

        change = (await place.call("agent.rollback", name="web", window=0.1, wait=10))["change"]

        assert (change["kind"], change["after"]) == ("rollback", {"version": "1.0.0"})
        assert place.migrations.runs == ["1.0.0->2.0.0", "2.0.0->1.0.0"]
        assert (await place.phase("running"))["version"] == "1.0.0"


@in_loop
async def test_what_cannot_be_rehearsed_is_refused_before_anything_stops(place):
    problem = "cannot rely on it: its program is not there"
    place.worker.told[JobKind.REHEARSE] = lambda _job: Outcome(
        ok=False, code="invalid-value", message=problem, problems=("bin/snore: is not there",)
    )
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        before = await place.show()

        change = await update(place)

        assert (change["state"], change["message"]) == ("refused", problem)
        assert change["facts"] == ["bin/snore: is not there"]
        assert (await place.show())["main_pid"] == before["main_pid"]


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        ({"sandbox": {"proc": "host"}}, GrantError, "proc=host"),
        (
            {"config": {"schema": {"properties": {"naps": {"maximum": 2}}}}},
            InvalidError,
            "naps",
        ),
        ({"conflicts": ["nap"]}, InvalidError, 'agent "other" runs the package nap'),
        ({"requires": ["db"]}, InvalidError, r"there is no agent \"db\" \(web -> db\)"),
    ],
    ids=["grants", "schema", "conflicts", "requires"],
)
@in_loop
async def test_a_version_that_may_not_run_is_refused_before_anything_stops(
    place, keys, error, says
):
    async with place:
        await place.create("other")
        await runs("1.0.0", "2.0.0", **keys)(place)
        await place.create(package="snore", version="1.0.0", config={"naps": 3}, window=0)
        before = await place.show()

        with pytest.raises(error, match=says):
            await update(place)

        assert (await place.show())["main_pid"] == before["main_pid"]
        changes = (await place.call("change.list", agent="web"))["changes"]
        assert [c["kind"] for c in changes] == ["config", "create"]


@in_loop
async def test_a_version_that_is_not_here_or_runs_already_is_refused(place):
    async with place:
        await runs("1.0.0")(place)

        with pytest.raises(UnknownVersionError, match=r"not here in version 2\.0\.0"):
            await update(place)
        with pytest.raises(RequestError, match="it has it already"):
            await update(place, "1.0")
        with pytest.raises(UnknownVersionError, match="no older version"):
            await place.call("agent.rollback", name="web")


@in_loop
async def test_an_agent_that_is_stopped_is_updated_and_stays_so(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        await place.call("agent.stop", name="web", wait=10)

        change = await update(place, window=30)

        view = await place.show()
        assert (change["state"], change["reason"]) == ("committed", "not-running")
        assert (view["phase"], view["version"]) == ("stopped", "2.0.0")


@in_loop
async def test_an_agent_that_is_stopped_meanwhile_stays_so(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        change = await update(place, window=30, wait=0)
        await in_state(place, change["id"], "watching")

        await place.call("agent.stop", name="web", wait=10)
        change = await ended(place, change["id"])

        assert (change["state"], change["reason"]) == ("committed", "not-running")
        assert (await place.show())["phase"] == "stopped"


# ---- undo ----


@in_loop
async def test_a_change_that_is_watched_can_be_undone(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        change = await update(place, window=30, wait=0)
        await in_state(place, change["id"], "watching")

        change = (await place.call("change.undo", id=change["id"], author="ann", wait=10))[
            "change"
        ]

        assert (change["state"], change["message"]) == ("reverted", "undone by ann")
        assert (await place.phase("running"))["version"] == "1.0.0"
        shown = await place.call("package.show", name="snore")
        assert {v["bad_until"] for v in shown["versions"]} == {None}


@in_loop
async def test_a_change_that_is_kept_is_undone_by_another(tmp_path):
    async with Place(tmp_path, changes={"watch": 0}) as place:
        await runs("1.0.0", "2.0.0")(place)
        first = await update(place)

        back = (await place.call("change.undo", id=first["id"], wait=10))["change"]

        assert (await place.phase("running"))["version"] == "1.0.0"
        assert (back["kind"], back["undo_of"], back["after"]) == (
            "rollback",
            first["id"],
            {"version": "1.0.0"},
        )


@in_loop
async def test_an_undone_config_is_the_one_before(tmp_path):
    async with Place(tmp_path, changes={"watch": 0}) as place:
        await place.create(config={"naps": 2})
        put = await place.create(config={"naps": 5}, limits={"tasks_max": 9})

        change = (await place.call("change.undo", id=put["change"], wait=10))["change"]

        view = await place.show()
        assert change["undo_of"] == put["change"]
        assert (view["config"], view["own_limits"]) == ({"naps": 2}, {})


@in_loop
async def test_what_was_changed_again_since_is_not_undone(place):
    async with place:
        await place.create(config={"naps": 2})
        put = await place.create(config={"naps": 5})
        await place.create(config={"naps": 6})

        with pytest.raises(RequestError, match="config of agent"):
            await place.call("change.undo", id=put["change"])

        assert (await place.show())["config"] == {"naps": 6}


@in_loop
async def test_a_change_that_was_undone_cannot_be_undone(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        fails(place, "2.0.0")
        change = await update(place, window=30)

        with pytest.raises(TransitionError, match="it is reverted"):
            await place.call("change.undo", id=change["id"])


# ---- one after another ----


@in_loop
async def test_changes_of_an_agent_follow_each_other_and_others_go_on(place):
    place.worker.hangs.add(JobKind.REHEARSE)
    async with place:
        await runs("1.0.0", "2.0.0", names=("web", "other"))(place)
        first = await update(place, window=30, wait=0)
        second = await place.create(
            package="snore", version="1.0.0", config={"naps": 3}, wait=0, window=0
        )
        waiting = await show(place, second["change"])
        other = await place.create("other", package="snore", config={"naps": 3})

        place.worker.go_on()
        second_ended = await ended(place, second["change"])

        assert (waiting["state"], waiting["waits_for"]) == ("planned", first["id"])
        assert (await show(place, first["id"]))["reason"] == "next-change"
        assert second_ended["state"] == "committed"
        assert other["config"] == {"naps": 3}
        assert (await show(place, other["change"]))["state"] == "committed"


@in_loop
async def test_a_request_that_expects_what_it_saw_is_refused_when_that_changes_before(place):
    place.worker.hangs.add(JobKind.REHEARSE)
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        seen = (await place.show())["revision"]
        await update(place, window=0, wait=0)
        late = await place.create(
            package="snore", version="1.0.0", config={"naps": 3}, expect=seen, wait=0
        )

        place.worker.go_on()
        change = await ended(place, late["change"])

        assert (change["state"], change["reason"]) == ("refused", "revision-mismatch")
        assert (await place.show())["version"] == "2.0.0"


@in_loop
async def test_a_stale_expectation_is_refused_at_once(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)

        for asked in (
            update(place, expect=9),
            place.call("agent.remove", name="web", expect=9),
            place.call("agent.rollback", name="web", version="2.0.0", expect=9),
        ):
            with pytest.raises(RevisionError, match="revision 1, not 9"):
                await asked

        assert (await update(place, expect=1))["state"] == "committed"


@in_loop
async def test_a_removal_ends_what_waits_and_what_is_watched(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        watched = await update(place, window=30, wait=0)
        await in_state(place, watched["id"], "watching")

        removed = await place.call("agent.remove", name="web", wait=10)

        assert (await show(place, watched["id"]))["reason"] == "removed"
        assert removed["change"]["state"] == "committed"
        assert (await place.call("agent.list"))["agents"] == []


# ---- what is only asked ----


@in_loop
async def test_a_dry_run_shows_the_plan_and_changes_nothing(place):
    async with place:
        await runs("1.0.0", "2.0.0", **MIGRATES)(place)
        before, last = await place.show(), (await place.call("host.status"))["events"]["last"]

        plans = [
            (await place.call("agent.update", name="web", dry_run=True))["change"],
            (await place.call("agent.rollback", name="web", version="2.0.0", dry_run=True))[
                "change"
            ],
            (
                await place.call(
                    "agent.put", name="web", package="snore", config={"naps": 9}, dry_run=True
                )
            )["plan"],
            (await place.call("agent.remove", name="web", dry_run=True))["change"],
        ]

        first = plans[0]
        assert (first["id"], first["state"], first["restarts"]) == (0, "planned", ["web"])
        assert (first["window"], first["after"]) == (600.0, {"version": "2.0.0"})
        assert [t["name"] for t in first["tasks"]][:3] == ["check", "rehearse", "stop"]
        assert [p["restarts"] for p in plans] == [["web"], ["web"], [], ["web"]]
        after = await place.show()
        assert {k: before[k] for k in ("revision", "main_pid")} == {
            k: after[k] for k in ("revision", "main_pid")
        }
        assert (await place.call("host.status"))["events"]["last"] == last


@in_loop
async def test_who_waits_for_news_of_a_change_has_them_at_once(place):
    place.worker.hangs.add(JobKind.REHEARSE)
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        change = await update(place, wait=0)
        await place.until(lambda: "rehearse" in place.worker.kinds(), "it rehearses")
        seen = (await show(place, change["id"]))["serial"]
        asked = asyncio.create_task(place.call("change.show", id=change["id"], seen=seen, wait=60))

        place.worker.go_on()
        news = await asyncio.wait_for(asked, 5)

        assert news["serial"] > seen


@in_loop
async def test_who_has_seen_more_than_a_new_manager_counted_is_answered_at_once(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        change = await update(place, window=30, wait=0)
        await in_state(place, change["id"], "watching")
        seen = (await show(place, change["id"]))["serial"]
        await place.kill()
        await place.start()

        news = await asyncio.wait_for(
            place.call("change.show", id=change["id"], seen=seen + 9, wait=15), 5
        )

        assert news["state"] == "watching"


@in_loop
async def test_the_steps_of_a_change_are_told_in_order(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)

        change = await update(place)

        told = await place.events(after=0)
        mine = [e for e in told if e["data"].get("id") == change["id"]]
        moves = [(e["data"]["from"], e["data"]["to"]) for e in mine if e["type"].endswith("state")]
        assert moves == [
            ("", "planned"),
            ("planned", "applying"),
            ("applying", "watching"),
            ("watching", "committed"),
        ]
        done = [e["data"]["task"] for e in mine if e["data"].get("state") == "done"]
        assert done == ["check", "rehearse", "stop", "switch", "start", "watch"]
        assert {e["subject"] for e in mine} == {"agent/web"}


# ---- faults ----


def broken(place: Place) -> Any:
    """Let the database refuse everything, and return how to mend it."""
    database = place.manager._databases.current
    assert database is not None
    save = database.save

    def refuse(_batch: object) -> tuple[int, ...]:
        raise StoreError("cannot save the database: disk I/O error")

    setattr(database, "save", refuse)  # noqa: B010 -- a method, put out of work
    setattr(database, "replaced", lambda: False)  # noqa: B010
    opened = place.manager._databases.open
    setattr(place.manager._databases, "open", lambda *_args: None)  # noqa: B010
    setattr(place.manager._databases, "close", lambda: None)  # noqa: B010

    def mend() -> None:
        setattr(database, "save", save)  # noqa: B010
        setattr(place.manager._databases, "open", opened)  # noqa: B010
        del place.manager._databases.close
        place.manager.upkeep.hurry()

    return mend


@in_loop
async def test_without_a_database_no_change_goes_on_and_no_agent_is_touched(place):
    place.worker.hangs.add(JobKind.REHEARSE)
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        before = await place.show()
        change = await update(place, wait=0)
        await place.until(lambda: "rehearse" in place.worker.kinds(), "it rehearses")
        mend = broken(place)

        place.worker.go_on()
        await place.until(lambda: not place.units.oneshots, "it is rehearsed")
        with pytest.raises(StoreError):
            await place.call("agent.stop", name="web")
        during = await place.show()
        mend()
        change = await ended(place, change["id"])

        assert (during["phase"], during["main_pid"]) == ("running", before["main_pid"])
        assert change["state"] == "committed"
        assert (await place.show())["version"] == "2.0.0"


@pytest.mark.parametrize("boot", [False, True], ids=["restart", "boot"])
@in_loop
async def test_a_watch_goes_on_after_the_manager_was_away(place, boot):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        change = await update(place, window=0.5, wait=0)
        await in_state(place, change["id"], "watching")

        await (place.reboot() if boot else again(place))
        change = await ended(place, change["id"])

        assert change["state"] == "committed"
        assert (await place.phase("running"))["version"] == "2.0.0"


async def again(place: Place) -> None:
    await place.stop()
    await place.start()


@in_loop
async def test_a_change_that_waited_goes_on_after_the_manager_was_away(place):
    place.worker.hangs.add(JobKind.REHEARSE)
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        first = await update(place, wait=0)
        second = await place.create(
            package="snore", version="1.0.0", config={"naps": 3}, wait=0, window=0
        )
        await again(place)

        place.worker.go_on()

        assert (await ended(place, first["id"]))["state"] == "committed"
        assert (await ended(place, second["change"]))["state"] == "committed"
        assert (await place.show())["config"] == {"naps": 3}


@in_loop
async def test_a_host_that_boots_in_the_middle_of_a_migration_has_the_old_version(place):
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)
        place.migrations.hangs = True
        change = await update(place, wait=0)
        await place.until(lambda: place.migrations.runs, "it migrates")

        await place.reboot()
        change = await ended(place, change["id"])

        assert (change["state"], change["reason"]) == ("reverted", "interrupted")
        assert (place.paths.agent_states / "web/data").read_text() == "one\n"
        assert (await place.phase("running"))["version"] == "1.0.0"


@in_loop
async def test_a_copy_of_data_that_an_undo_could_not_use_is_left_and_named(place):
    async with place:
        await runs("1.0.0", "2.0.0", data="one\n", **MIGRATES)(place)
        fails(place, "2.0.0")
        place.worker.told[JobKind.RESTORE] = lambda _job: Outcome(
            ok=False, code="no-space", message="the disk is full"
        )

        change = await update(place, window=30)
        await again(place)

        assert change["state"] == "revert-failed"
        assert any("the disk is full" in fact for fact in change["facts"])
        copy = place.path / f"state/snapshots/{change['id']}/web/tree/data"
        assert copy.read_text() == "one\n"


@in_loop
async def test_a_new_database_gives_no_number_again_that_names_a_copy_of_data(place):
    async with place:
        (place.path / "state/snapshots/7").mkdir(parents=True)
        await place.stop()
        place.database.unlink()
        await place.start()

        view = await place.create()

        assert view["change"] == 8


async def tried(asked: Awaitable[object]) -> str:
    """Return what was refused, or nothing."""
    try:
        await asked
    except RequestError as error:
        return error.message
    return ""


@in_loop
async def test_a_removed_agent_is_nobody_that_could_be_changed(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        write_data(place, "", "other")
        await place.call("agent.remove", name="web", wait=10)

        assert "no agent is named" in await tried(update(place))
