"""The database is damaged, gone, old, locked or out of room: nothing of it is lost unsaid."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from opmas.errors import DamagedError, StoreError
from opmas.manager import patience
from opmas.manager.state import backups, database, reserve
from opmas.manager.state.backups import FORM
from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOREVER = 10**6  # seconds between the backups of a test that makes its own


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def folder(place: Place) -> list[Path]:
    return sorted((place.path / "state/backups").glob("manager-*.db"))


async def backed_up(place: Place) -> None:
    """Have a backup made that holds all that was said until now."""
    keeper, there = place.manager.keeper, set(folder(place))
    await place.until(lambda: keeper._backup is None, "none is under way")
    names = {path.name for path in folder(place)}
    await place.until(lambda: f"{datetime.now(UTC):{FORM}}" not in names, "it has its own name")
    keeper._begin_backup()
    await place.until(lambda: keeper._backup is None, "it is made")
    assert set(folder(place)) - there


async def codes(place: Place) -> set[str]:
    return {p["code"] for p in (await place.call("host.status"))["problems"]}


async def all_pages(place: Place, after: int = 0) -> tuple[list[int], list[tuple[int, int, str]]]:
    """Return all numbers after that one, page by page, and what is said to be missing."""
    numbers: list[int] = []
    missing: dict[tuple[str, int], int] = {}
    while True:
        page = await place.call("event.list", after=after, limit=100)
        numbers += [e["sequence"] for e in page["events"]]
        for each in page.get("dropped", []):
            missing.setdefault((each["reason"], each["last"]), each["first"])
        if not page["events"]:
            return numbers, [(first, last, why) for (why, last), first in missing.items()]
        after = page["last"]


async def newest_change(place: Place) -> int:
    numbers: list[int] = [c["id"] for c in (await place.call("change.list"))["changes"]]
    return max(numbers)


def covered(numbers: list[int], missing: list[tuple[int, int, str]]) -> bool:
    """Tell whether every number up to the last is there, or said to be missing."""
    there = set(numbers)
    return all(
        n in there or any(first <= n <= last for first, last, _ in missing)
        for n in range(1, max(numbers) + 1)
    )


def remove_logs(place: Place) -> None:
    for path in place.database.parent.glob("manager.db-*"):
        path.unlink()


def overwrite(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(length))


DAMAGES = {
    "header": lambda path: overwrite(path, 0, 100),
    "page": lambda path: overwrite(path, 4096 * 4, 4096 * 2),
    "truncated": lambda path: os.truncate(path, 9000),
    "zero length": lambda path: os.truncate(path, 0),
    "missing": lambda path: path.unlink(),
    "another program": lambda path: shutil.copyfile("/bin/true", path),
}


@pytest.mark.parametrize("damage", DAMAGES)
@in_loop
async def test_a_backup_takes_the_place_of_what_is_damaged_and_files_know_what_came_later(
    place, damage
):
    async with place:
        await place.create("web", config={"naps": 1})
        await place.create("gone")
        await backed_up(place)
        first_page = await place.events(after=0)
        await place.create("web", config={"naps": 4})
        await place.create("late")
        await place.call("agent.remove", name="gone", wait=10)
        seen = (await place.call("host.status"))["events"]["last"]
        pids = {n: (await place.show(n))["main_pid"] for n in ("web", "late")}
        await place.kill()
        remove_logs(place)
        DAMAGES[damage](place.database)

        await place.start()

        assert (await place.show("web"))["config"] == {"naps": 4}
        agents = (await place.call("agent.list"))["agents"]
        assert {a["name"]: a["main_pid"] for a in agents} == pids
        numbers, missing = await all_pages(place)
        assert numbers[: len(first_page)] == [e["sequence"] for e in first_page]
        assert numbers[len(first_page)] > seen, "no number is given twice"
        assert [why for _, _, why in missing] == ["restored"]
        assert covered(numbers, missing)
        [told] = await place.events(type="opmas.log.restored", after=0)
        assert (told["data"]["newer"], told["data"]["gone"]) == (["late", "web"], ["gone"])
        assert told["data"]["backup"].startswith("manager-")
        await place.until(lambda: not place.manager._problems.present(), "a new backup is made")
        said = {e["data"]["code"] for e in await place.events(type="opmas.manager.problem")}
        named = "restored" if damage in {"zero length", "missing"} else "damaged"
        assert said == {f"database-{named}"}


@in_loop
async def test_without_a_backup_the_log_goes_on_and_agents_come_from_their_files(place):
    async with place:
        await place.create("web", config={"naps": 4})
        seen = (await place.call("host.status"))["events"]["last"]
        await place.kill()
        remove_logs(place)
        overwrite(place.database, 0, 9000)
        shutil.rmtree(place.path / "state/backups", ignore_errors=True)

        await place.start()

        assert (await place.show())["config"] == {"naps": 4}
        numbers, missing = await all_pages(place)
        assert numbers[0] > seen
        assert covered(numbers, missing)


@pytest.mark.parametrize("has_backup", [True, False])
@in_loop
async def test_the_numbers_of_changes_go_on_after_the_last_that_was_seen(place, has_backup):
    async with place:
        await place.create("web")
        if has_backup:
            await backed_up(place)
        await place.create("web", config={"naps": 4})
        seen = await newest_change(place)
        await place.kill()
        remove_logs(place)
        place.database.unlink()
        if not has_backup:
            shutil.rmtree(place.path / "state/backups", ignore_errors=True)
        await place.start()
        await place.kill()
        await place.start()

        await place.create("web", config={"naps": 5})

        assert await newest_change(place) > seen


@in_loop
async def test_a_damaged_backup_is_passed_over(place):
    async with place:
        await place.create("web")
        await backed_up(place)
        await place.create("two")
        await backed_up(place)
        await place.kill()
        overwrite(folder(place)[-1], 4096 * 2, 4096)
        remove_logs(place)
        place.database.unlink()

        await place.start()

        [told] = await place.events(type="opmas.log.restored", after=0)
        assert told["data"]["backup"] == folder(place)[-2].name
        assert told["data"]["newer"] == ["two"]


@in_loop
async def test_a_backup_put_in_place_by_hand_is_noticed_and_brought_up_to_date(place):
    async with place:
        await place.create("web", config={"naps": 1})
        await backed_up(place)
        await place.create("web", config={"naps": 9})
        seen = (await place.call("host.status"))["events"]["last"]
        await place.stop()
        remove_logs(place)
        shutil.copyfile(folder(place)[-1], place.database)

        await place.start()

        assert (await place.show())["config"] == {"naps": 9}
        numbers, missing = await all_pages(place)
        assert covered(numbers, missing)
        assert min(n for n in numbers if n not in range(missing[0][0])) > seen


@in_loop
async def test_a_copy_made_by_hand_is_noticed_by_its_numbers(place):
    async with place:
        await place.create("web")
        with closing(sqlite3.connect(place.database)) as connection:
            connection.execute("VACUUM INTO ?", (str(place.path / "mine.db"),))
        await place.create("two")
        seen = (await place.call("host.status"))["events"]["last"]
        await place.stop()
        remove_logs(place)
        shutil.copyfile(place.path / "mine.db", place.database)

        await place.start()

        numbers, missing = await all_pages(place)
        assert covered(numbers, missing)
        assert seen not in numbers
        assert [a["name"] for a in (await place.call("agent.list"))["agents"]] == ["two", "web"]


@in_loop
async def test_all_agents_come_from_a_database_when_their_files_are_lost_with_the_disk(place):
    async with place:
        await place.create("web", config={"naps": 3})
        await backed_up(place)
        await place.kill()
        kept = folder(place)[-1].rename(place.path / "kept.db")
        shutil.rmtree(place.path / "state")
        place.database.parent.mkdir()
        kept.rename(place.database)

        await place.start()

        assert (await place.phase("running"))["config"] == {"naps": 3}


@in_loop
async def test_a_check_that_takes_long_is_given_its_time_by_systemd(place, monkeypatch):
    async with place:
        await place.create("web")
        await place.stop()
        monkeypatch.setattr(patience, "PERIOD", 0.02)
        monkeypatch.setattr(patience, "LEAST", 1e-6)  # on a busy machine it gets little
        monkeypatch.setattr(database, "find_damage", lambda *_, **__: worked_long(place))

        await place.start()

        assert (await place.show())["phase"] == "running"


def worked_long(place: Place) -> list[str]:
    """Have SQLite work until more time was asked for, and find no damage."""
    endless = "WITH RECURSIVE n AS (SELECT 1 x UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.set_progress_handler(lambda: bool(place.notifier.extended), 20_000)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(endless).fetchall()
    return []


@in_loop
async def test_a_quarantine_outlasts_a_restore(place):
    async with place:
        await place.create("web")
        place.units.exit("web", 78)
        await place.phase("failed")
        await backed_up(place)
        await place.kill()
        remove_logs(place)
        place.database.unlink()

        await place.start()

        assert (await place.show())["phase"] == "failed"


@in_loop
async def test_damage_found_while_the_manager_runs_is_mended_without_a_restart(place):
    async with place:
        await place.create("web")
        await backed_up(place)
        await place.create("two")
        last = (await place.call("host.status"))["events"]["last"]
        database = place.manager._databases.current
        assert database is not None
        database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        overwrite(place.database, 4096 * 3, place.database.stat().st_size - 4096 * 3)

        database.damaged = "found by a reader"
        await place.until(lambda: place.manager._databases.current is not database, "it is mended")
        await place.create("three")

        names = [a["name"] for a in (await place.call("agent.list"))["agents"]]
        assert names == ["three", "two", "web"]
        numbers, missing = await all_pages(place)
        assert numbers == list(range(1, numbers[-1] + 1)), "what was in memory was put back"
        assert missing == []
        assert numbers[-1] > last


@in_loop
async def test_a_database_of_a_newer_version_gives_way_to_the_backup_from_before(place):
    async with place:
        await place.create("web")
        await backed_up(place)
        await place.kill()
        with closing(sqlite3.connect(place.database)) as newer:
            newer.execute("PRAGMA user_version = 99")

        await place.start()

        assert await codes(place) <= {"database-restored"}
        assert list(place.database.parent.glob("manager.db.newer-*"))
        assert (await place.show())["phase"] == "running"


@in_loop
async def test_a_locked_database_at_the_start_is_taken_up_when_it_is_let_go(place):
    async with place:
        before = await place.create("web", config={"naps": 2})
        revision = (await place.show())["revision"]
        await place.kill()
        other = sqlite3.connect(place.database)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        await place.start()
        locked = await codes(place)
        refused = await refusal(place)
        other.rollback()
        other.close()
        await place.until(lambda: not place.manager.writer.saver.behind, "all is saved")

        view = await place.show()
        assert locked == {"database-unavailable"}
        assert "cannot save" in refused
        assert (view["main_pid"], view["revision"]) == (before["main_pid"], revision)
        numbers, missing = await all_pages(place)
        assert (numbers, missing) == (list(range(1, numbers[-1] + 1)), [])


async def refusal(place: Place) -> str:
    with pytest.raises(StoreError) as caught:
        await place.create("late", wait=0)
    return str(caught.value)


@in_loop
async def test_a_backup_that_is_taken_up_late_brings_no_agent_back_that_was_removed(place):
    async with place:
        await place.create("web")
        await place.create("gone")
        await backed_up(place)
        await place.call("agent.remove", name="gone", wait=10)
        await place.kill()
        other = sqlite3.connect(place.database)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        await place.start()
        assert "database-unavailable" in await codes(place)
        other.rollback()
        other.close()
        remove_logs(place)
        overwrite(place.database, 0, 9000)
        await place.until(lambda: not place.manager.writer.saver.behind, "all is saved")

        agents = (await place.call("agent.list"))["agents"]

        assert [a["name"] for a in agents] == ["web"]
        assert len(await place.events(type="opmas.log.restored", after=0)) == 1


@in_loop
async def test_an_agent_that_was_stopped_is_so_after_the_database_is_lost(place):
    async with place:
        await place.create("web")
        await backed_up(place)
        await place.call("agent.stop", name="web", wait=10)
        await place.kill()
        remove_logs(place)
        place.database.unlink()

        await place.start()

        view = await place.show()
        assert (view["desired"], view["phase"]) == ("stopped", "registered")


@in_loop
async def test_another_database_in_its_place_is_not_mixed_with_what_was_written_to_the_old(place):
    async with place:
        await place.create("web")
        database = place.manager._databases.current
        assert database is not None
        with closing(sqlite3.connect(place.database)) as connection:
            connection.execute("VACUUM INTO ?", (str(place.path / "mine.db"),))
        await place.create("two")
        for number in range(20):
            await place.create("web", config={"naps": number})
        database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await place.create("three")
        seen = (await place.call("host.status"))["events"]["last"]

        (place.path / "mine.db").rename(place.database)
        await place.until(lambda: place.manager._databases.current is not database, "it is seen")
        await place.until(lambda: not place.manager.writer.saver.behind, "all is saved")

        numbers, missing = await all_pages(place)
        assert not list(place.database.parent.glob("*.damaged-*"))
        assert covered(numbers, missing)
        [told] = await place.events(type="opmas.log.restored", after=0)
        assert told["sequence"] > seen, "no number is given twice"
        agents = (await place.call("agent.list"))["agents"]
        assert [a["name"] for a in agents] == ["three", "two", "web"]


@in_loop
async def test_copies_that_go_wrong_are_not_made_again_at_once(place, monkeypatch):
    async with place:
        await place.create("web")
        keeper, tries = place.manager.keeper, []

        def refuse(*_args: Any) -> None:
            tries.append(1)
            raise DamagedError("the disk of the copy is bad")

        monkeypatch.setattr(place.manager._databases.backups, "make", refuse)
        keeper._wants_backup = True
        keeper._begin_backup()
        await place.until(lambda: bool(tries) and keeper._backup is None, "it went wrong")

        await keeper.look()  # the database is looked at, and is sound
        await keeper.look()

        assert (len(tries), keeper._backup) == (1, None)


@in_loop
async def test_backups_are_made_in_time_and_the_oldest_go(place):
    place.sections["database"] = {"backups": 2, "backup_interval": FOREVER}
    async with place:
        await place.create("web")
        for _ in range(3):
            await backed_up(place)

        assert len(folder(place)) == 2
        for path in folder(place):
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@in_loop
async def test_a_migration_is_preceded_by_a_backup(place):
    async with place:
        await place.create("web")
        await place.stop()
        shutil.rmtree(place.path / "state/backups", ignore_errors=True)
        with closing(sqlite3.connect(place.database)) as older:
            for table in ("history", "pruned", "learned"):
                older.execute(f"DROP TABLE {table}")
            older.execute("DROP INDEX events_of_agents")
            older.execute("PRAGMA user_version = 2")

        await place.start()

        with closing(sqlite3.connect(folder(place)[0])) as saved:
            assert saved.execute("PRAGMA user_version").fetchone() == (2,)


# ---- a full disk ----


@pytest.fixture
def small_disk(tmp_path, monkeypatch) -> Iterator[Path]:
    """A file system of 6 MiB for the state directory."""
    monkeypatch.setattr(reserve.Reserve.__init__, "__defaults__", (1024**2, 1024**2))
    monkeypatch.setattr(backups, "MARGIN", 512 * 1024)
    state = tmp_path / "state"
    state.mkdir()
    options = ["-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs"]
    subprocess.run(["/bin/mount", *options, str(state)], check=True)
    yield state
    subprocess.run(["/bin/umount", "-l", str(state)], check=True)


def fill(state: Path) -> None:
    """Fill the disk to its last byte."""
    with (state / "filler").open("wb", buffering=0) as file:
        for size in (64 * 1024, 4096, 1):
            while True:
                try:
                    if not file.write(b"\0" * size):
                        break
                except OSError:
                    break


@in_loop
async def test_on_a_full_disk_decisions_go_on_and_history_goes_first(place, small_disk):
    async with place:
        await place.create("web")
        for number in range(4):
            said = {"severity": "info", "message": "x" * 200, "data": {"n": number}}
            for _ in range(300):
                place.manager.writer.announce("agent.nap.said", "agent/web", said)
        await place.until((small_disk / "reserve").exists, "room is kept back")
        await backed_up(place)
        fill(small_disk)

        for number in range(30):
            await place.create("web", config={"naps": number})
        await place.until(place.manager._problems.present, "it is said")
        full = await codes(place)
        numbers, missing = await all_pages(place)
        (small_disk / "filler").unlink()
        await place.until(lambda: not place.manager._problems.present(), "there is room again")

        assert full == {"disk-full"}
        assert (await place.show())["config"] == {"naps": 29}
        assert covered(numbers, missing)
        assert {why for _, _, why in missing} == {"disk-full"}
        assert (small_disk / "reserve").exists()
        told = await place.events(type="opmas.log.pruned", after=0)
        assert told[0]["data"]["reason"] == "disk-full"


@in_loop
async def test_a_disk_that_stays_full_stops_no_agent_and_loses_no_event(place, small_disk):
    async with place:
        await place.create("web")
        await place.until((small_disk / "reserve").exists, "room is kept back")
        (small_disk / "reserve").unlink()
        fill(small_disk)

        for _ in range(5):
            place.units.crash("web")
            await place.phase("running")
        refused = await refusal_of_config(place)
        (small_disk / "filler").unlink()
        await place.until(lambda: not place.manager.writer.saver.behind, "all is saved")

        assert "full" in refused
        numbers, missing = await all_pages(place)
        assert covered(numbers, missing)
        assert len(await place.events(type="opmas.agent.exited", after=0)) == 5


async def refusal_of_config(place: Place) -> str:
    """Ask for changes until the disk takes no more."""
    for number in range(3000):
        try:
            await place.create("web", config={"naps": number}, wait=0)
        except StoreError as error:
            return str(error)
    return "none was refused"


# ---- what is announced is on the disk ----


@in_loop
async def test_whoever_hears_of_an_event_finds_it_on_the_disk(place):
    async with place:
        heard: list[tuple[int, bool]] = []

        def listen(events: Any) -> None:
            with closing(sqlite3.connect(place.database)) as other:
                for event in events:
                    sql = "SELECT type FROM events WHERE sequence = ?"
                    found = other.execute(sql, (event.sequence,)).fetchone()
                    heard.append((event.sequence, found == (event.type,)))

        place.manager._log.published = listen
        carried_out: list[bool] = []
        carry_out = place.manager.writer.carry_out

        def look(effects: Any) -> None:
            with closing(sqlite3.connect(place.database)) as other:
                carried_out.append(other.execute("SELECT count(*) FROM agents").fetchone() == (1,))
            carry_out(effects)

        place.manager.writer.carry_out = look
        await place.create("web")

        assert len(heard) > 3
        assert all(found for _, found in heard)
        assert all(carried_out)


@in_loop
async def test_an_event_that_was_saved_and_not_announced_is_told_after_a_kill(place):
    async with place:
        await place.create("web")
        last = (await place.call("host.status"))["events"]["last"]
        log = place.manager._log
        setattr(log, "publish", lambda _events: None)  # noqa: B010 -- the kill comes before it
        place.manager.writer.announce("agent.nap.said", "agent/web", {"message": "last words"})
        saved = place.manager._databases.current
        assert saved is not None
        await place.until(lambda: saved.last > last, "it is saved")
        unheard = log.last
        await place.kill()

        await place.start()

        found = (await place.events(after=unheard))[0]
        assert unheard == last
        assert (found["sequence"], found["type"]) == (last + 1, "agent.nap.said")
        assert json.dumps(found["data"]) == '{"message": "last words"}'
