"""Packages over the control socket: installed, shown, updated with their agents, removed."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

import pytest

from opmas.core.job import JobKind, Outcome
from opmas.errors import (
    InUseError,
    InvalidError,
    RequestError,
    UnknownPackageError,
    UnknownVersionError,
)
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.integration.manager.stories import (
    DEB,
    runs,
    runs_debian,
    two_and_a_bundle,
    write_data,
)
from tests.integration.manager.worker import Death
from tests.loop import in_loop


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


async def install(place: Place, **params: Any) -> dict[str, Any]:
    change: dict[str, Any] = (await place.call("package.install", wait=10, **params))["change"]
    return change


async def remove(place: Place, **params: Any) -> dict[str, Any]:
    change: dict[str, Any] = (await place.call("package.remove", wait=10, **params))["change"]
    return change


async def update(place: Place, **params: Any) -> list[dict[str, Any]]:
    given = {"name": "snore", "window": 0, "wait": 10, **params}
    changes: list[dict[str, Any]] = (await place.call("package.update", **given))["changes"]
    return changes


async def versions(place: Place, name: str = "snore") -> list[str]:
    shown = await place.call("package.show", name=name)
    return [v["version"] for v in shown["versions"]]


def bundles(place: Place, *wanted: str) -> None:
    (place.path / "bundles").mkdir(exist_ok=True)
    for version in wanted:
        shutil.copy(stock.bundle("snore", version), place.path / "bundles")


# ---- install ----


@in_loop
async def test_a_bundle_is_installed_and_shown_with_who_vouches_for_it(place):
    async with place:
        change = await install(place, file=str(stock.bundle()), author="ann")

        shown = await place.call("package.show", name="snore")
        [version] = shown["versions"]
        assert (change["state"], change["subject"], change["author"]) == (
            "committed",
            "package/snore",
            "ann",
        )
        assert (version["version"], version["source"], version["trust"]) == (
            "1.0.0",
            "bundle",
            "key",
        )
        assert version["key"] == stock.KEY.public.id
        assert version["bytes"] > 0
        added = await place.events(type="opmas.package.added", after=0)
        assert [e["subject"] for e in added].count("package/snore") == 1


@in_loop
async def test_a_second_installation_changes_nothing(place):
    async with place:
        await install(place, file=str(stock.bundle()))
        receipt = (place.packages / "snore/1.0.0/.opmas/receipt.json").stat()

        change = await install(place, file=str(stock.bundle()))

        again = (place.packages / "snore/1.0.0/.opmas/receipt.json").stat()
        assert change["state"] == "committed"
        assert (again.st_ino, again.st_mtime_ns) == (receipt.st_ino, receipt.st_mtime_ns)


@in_loop
async def test_how_far_an_installation_is_can_be_followed(place):
    async with place:
        place.worker.hangs_after.add(JobKind.INSTALL)  # its last progress is left
        asked = asyncio.create_task(install(place, file=str(stock.bundle())))
        await place.until(lambda: place.manager.changing.jobs.steps, "progress is seen")

        [change] = (await place.call("change.list", active=True))["changes"]
        place.worker.go_on()
        whole = await asked

        assert change["state"] == "applying"
        assert change["progress"]["step"] in {"verify", "check", "unpack", "compile", "sync"}
        assert change["progress"]["total"] > 0
        assert whole["progress"] is None


@pytest.mark.parametrize(
    ("name", "version", "code"),
    [
        ("doze", "1.0.0", "version-mismatch"),
        ("snore", "2.0.0", "version-mismatch"),
    ],
)
@in_loop
async def test_a_bundle_of_something_else_is_refused(place, name, version, code):
    async with place:
        change = await install(place, file=str(stock.bundle()), name=name, version=version)

        assert (change["state"], change["reason"]) == ("refused", code)
        assert not (place.packages / "snore").exists()


@in_loop
async def test_a_bundle_that_nobody_signed_is_refused(place):
    async with place:
        change = await install(place, file=str(stock.bundle(signed=False)))

        assert (change["state"], change["reason"]) == ("refused", "unsigned-bundle")


@in_loop
async def test_a_host_may_allow_what_nobody_signed_and_shows_it(tmp_path):
    async with Place(tmp_path, packages={"allow_unsigned": True}) as place:
        change = await install(place, file=str(stock.bundle(signed=False)))

        [version] = (await place.call("package.show", name="snore"))["versions"]
        assert (change["state"], version["trust"]) == ("committed", "unsigned")


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "say what to install"),
        ({"file": "snore-1.0.0.opmas"}, "must be an absolute path"),
        ({"file": "/tmp/snore.tar"}, "a bundle's file is NAME-VERSION.opmas"),
        ({"file": "/tmp/other_1.0_all.deb"}, "the Debian package of an agent is"),
        ({"file": "/tmp/a-1.opmas", "upload": "12345678"}, "say what to install"),
    ],
)
@in_loop
async def test_a_request_that_says_nothing_useful_is_refused_at_once(place, params, says):
    async with place:
        with pytest.raises(InvalidError) as caught:
            await install(place, **params)

        assert says in "\n".join((caught.value.message, *caught.value.problems))
        assert (await place.call("change.list"))["changes"] == []


@in_loop
async def test_the_newest_bundle_of_the_hosts_own_directories_is_found_by_name(place):
    async with place:
        bundles(place, "1.0.0", "1.10.0", "1.9.0")

        await install(place, name="snore")
        await install(place, name="snore", version="1.9")

        assert await versions(place) == ["1.10.0", "1.9.0"]


@in_loop
async def test_an_upload_is_installed(place):
    async with place:
        (place.path / "uploads").mkdir()
        shutil.copy(stock.bundle(), place.path / "uploads/0123456789.opmas")

        await install(place, upload="0123456789")

        assert await versions(place) == ["1.0.0"]


@in_loop
async def test_a_dry_run_of_an_installation_installs_nothing(place):
    async with place:
        change = await install(place, file=str(stock.bundle()), dry_run=True)

        assert (change["id"], change["state"]) == (0, "planned")
        assert [t["name"] for t in change["tasks"]] == ["install"]
        assert not place.packages.exists()
        assert (await place.call("change.list"))["changes"] == []


@in_loop
async def test_an_undone_installation_is_gone_again(place):
    async with place:
        done = await install(place, file=str(stock.bundle()))

        back = (await place.call("change.undo", id=done["id"], wait=10))["change"]

        assert (back["kind"], back["state"], back["undo_of"]) == (
            "remove",
            "committed",
            done["id"],
        )
        assert not (place.packages / "snore").exists()


@in_loop
async def test_an_installation_that_is_undone_while_it_goes_on_is_gone_again(place):
    async with place:
        place.worker.hangs.add(JobKind.INSTALL)
        change = (await place.call("package.install", file=str(stock.bundle())))["change"]
        await place.until(lambda: place.worker.runs, "it is installed")

        await place.call("change.undo", id=change["id"])
        place.worker.go_on()
        roster = place.manager.writer
        await place.until(lambda: roster.roster.changes[change["id"]].is_final, "it is over")

        assert roster.roster.changes[change["id"]].state == "reverted"
        assert not (place.packages / "snore").exists()


@in_loop
async def test_a_worker_that_always_dies_is_named(place):
    place.worker.dies = lambda _job: Death.BEFORE
    async with place:
        change = await install(place, file=str(stock.bundle()))

        assert (change["state"], change["reason"]) == ("refused", "unavailable")
        assert "journalctl -u opmas-package@1-1000.service" in change["message"]
        assert len(place.worker.runs) == 3


# ---- update ----


@in_loop
async def test_an_update_installs_first_and_then_goes_to_every_agent(place):
    async with place:
        await two_and_a_bundle(place)

        changes = await update(place)

        assert [(c["kind"], c["state"]) for c in changes] == [
            ("install", "committed"),
            ("update", "committed"),
            ("update", "committed"),
        ]
        assert {(await place.show(n))["version"] for n in ("one", "two")} == {"2.0.0"}
        assert await update(place) == []


@in_loop
async def test_updates_are_refused_with_the_installation_that_they_follow(place):
    async with place:
        await two_and_a_bundle(place)
        (place.path / "bundles/snore-2.0.0.opmas").write_bytes(b"nonsense" * 100)
        before = await place.show("one")

        changes = await update(place)

        assert [c["state"] for c in changes] == ["refused"] * 3
        assert changes[1]["reason"] == changes[2]["reason"] == "follows"
        assert changes[0]["message"] in changes[1]["message"]
        assert (await place.show("one"))["main_pid"] == before["main_pid"]


@in_loop
async def test_a_version_that_is_nowhere_is_refused_with_those_that_there_are(place):
    async with place:
        await two_and_a_bundle(place)

        with pytest.raises(UnknownVersionError, match=r"there is 1\.0\.0, 2\.0\.0"):
            await update(place, version="3.0.0")
        with pytest.raises(UnknownPackageError):
            await update(place, name="nobody")


@in_loop
async def test_a_dry_run_of_an_update_names_what_it_restarts(place):
    async with place:
        await two_and_a_bundle(place)

        changes = await update(place, dry_run=True)

        assert [c["kind"] for c in changes] == ["install", "update", "update"]
        assert [c["restarts"] for c in changes[1:]] == [["one"], ["two"]]
        assert await versions(place) == ["1.0.0"]


@in_loop
async def test_a_debian_package_is_updated_for_all_its_agents_at_once(place):
    async with place:
        await runs_debian(place)
        await place.create("two", package="snooze")
        write_data(place, "two\n", "two")

        [change] = await update(place, name="snooze", version="2.0")

        assert (change["state"], change["agents"]) == ("committed", ["two", "web"])
        assert place.debs[DEB].version == "2.0"
        assert place.migrations.runs == ["1.0->2.0", "1.0->2.0"]
        assert {(await place.show(n))["package_version"] for n in ("web", "two")} == {"2.0"}


@in_loop
async def test_a_debian_package_that_breaks_one_agent_is_put_back_for_all(place):
    async with place:
        await runs_debian(place)
        await place.create("two", package="snooze")
        write_data(place, "two\n", "two")

        def run(unit: str) -> None:
            place.units.failing.pop(unit, None)
            if "web" in unit and place.debs[DEB].version == "2.0":
                place.units.failing[unit] = 1

        place.units.runs = run
        [change] = await update(place, name="snooze", version="2.0", window=30)

        assert (change["state"], place.debs[DEB].version) == ("reverted", "1.0")
        assert 'agent "web"' in change["message"]
        for name, data in (("web", "one\n"), ("two", "two\n")):
            assert (await place.phase("running", name))["package_version"] == "1.0"
            assert (place.paths.agent_states / name / "data").read_text() == data


@in_loop
async def test_apt_that_cannot_is_told_in_its_words(place):
    async with place:
        await runs_debian(place)
        place.worker.told[JobKind.APT_INSTALL] = lambda _job: Outcome(
            ok=False, code="unavailable", message="dpkg was locked for 600 s"
        )
        before = await place.show()

        [change] = await update(place, name="snooze", version="2.0")

        assert (change["state"], change["message"]) == ("refused", "dpkg was locked for 600 s")
        assert (await place.show())["main_pid"] == before["main_pid"]


# ---- remove ----


@in_loop
async def test_a_package_that_an_agent_runs_is_not_removed(place):
    async with place:
        await runs("2.0.0", "1.0.0")(place)

        with pytest.raises(InUseError, match='agent "web" runs it'):
            await remove(place, name="snore")
        with pytest.raises(InUseError, match='agent "web" runs it'):
            await remove(place, name="snore", version="2.0")
        change = await remove(place, name="snore", version="1.0")

        assert change["state"] == "committed"
        assert await versions(place) == ["2.0.0"]


@in_loop
async def test_a_package_without_agents_is_removed_in_all_its_versions(place):
    async with place:
        stock.install(place.packages, "1.0.0", "2.0.0")
        await place.call("package.scan")

        change = await remove(place, name="snore")

        assert change["state"] == "committed"
        assert not (place.packages / "snore").exists()
        with pytest.raises(UnknownPackageError):
            await versions(place)


@in_loop
async def test_a_directory_of_somebodys_own_is_not_removed(place):
    async with place:
        with pytest.raises(InvalidError, match="it is a directory of yours"):
            await remove(place, name="nap")


@in_loop
async def test_a_version_that_a_waiting_change_wants_is_not_removed(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        place.worker.hangs.add(JobKind.REHEARSE)
        await place.call("agent.update", name="web", version="2.0.0", window=0)

        change = (await place.call("package.remove", name="snore", version="2.0.0"))["change"]
        place.worker.go_on()
        roster = place.manager.writer
        await place.until(
            lambda: all(c.is_final for c in roster.roster.changes.values()), "both are over"
        )

        assert roster.roster.changes[change["id"]].state == "refused"
        assert (place.packages / "snore/2.0.0").exists()
        assert (await place.phase("running"))["version"] == "2.0.0"


@in_loop
async def test_a_change_of_another_package_is_in_nobodys_way(place):
    async with place:
        await runs("1.0.0", "2.0.0")(place)
        stock.install(place.packages, "2.0.0", name="doze")
        await place.call("package.scan")
        place.worker.hangs.add(JobKind.REHEARSE)
        await place.call("agent.update", name="web", version="2.0.0", window=0)
        removal = asyncio.create_task(remove(place, name="doze"))
        await place.until(lambda: len(place.manager.writer.roster.changes) > 2, "it is asked for")

        place.worker.go_on()

        assert (await removal)["state"] == "committed"


@in_loop
async def test_no_agent_is_created_with_a_version_that_is_being_removed(place):
    place.worker.hangs.add(JobKind.UNINSTALL)
    async with place:
        stock.install(place.packages, "1.0.0", "2.0.0")
        await place.call("package.scan")
        change = (await place.call("package.remove", name="snore", version="1.0.0"))["change"]
        await place.until(lambda: place.worker.runs, "it is removed")

        with pytest.raises(RequestError, match=f"change {change['id']} removes it"):
            await place.create(package="snore", version="1.0.0")

        place.worker.go_on()


@in_loop
async def test_a_removal_that_stopped_half_way_says_what_is_gone(place):
    async with place:
        stock.install(place.packages, "1.0.0", "2.0.0")
        await place.call("package.scan")

        def dies(_job: Any) -> Death | None:
            return Death.BEFORE if len(place.worker.runs) > 1 else None

        place.worker.dies = dies
        change = await remove(place, name="snore")

        assert change["state"] == "revert-failed"
        assert any("2.0.0" in fact for fact in change["facts"])
        assert await versions(place) == ["1.0.0"]
