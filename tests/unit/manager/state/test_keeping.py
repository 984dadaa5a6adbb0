"""The parts that keep the database: numbers, room, backups' names, trust in the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opmas.core.roster import Roster
from opmas.errors import StoreError
from opmas.manager.clock import Clock
from opmas.manager.state.backups import FORM, Backups
from opmas.manager.state.pruning import TRUSTED_AFTER, WallClock
from opmas.manager.state.reserve import Reserve
from opmas.manager.state.saver import BACKLOG, Saver
from opmas.manager.state.sequence import BLOCK, Sequence
from opmas.store.database import Database
from opmas.store.faults import FullError
from opmas.store.rows import Batch, NewEvent

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class SetClock(Clock):
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = NOW

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return self.wall

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        self.wall += timedelta(seconds=seconds)


# ---- numbers ----


def test_numbers_are_reserved_in_blocks_and_outlast_a_kill(tmp_path):
    numbers = Sequence(tmp_path / "sequence")

    numbers.reserve(last=10, more=5)
    again = Sequence(tmp_path / "sequence")

    assert again.upto == 15 + BLOCK
    assert again.is_older(9)
    assert not again.is_older(10)


def test_the_file_is_written_once_a_block(tmp_path):
    path = tmp_path / "sequence"
    numbers = Sequence(path)
    numbers.reserve(0, 1)
    before = path.stat().st_ino

    for last in range(1, BLOCK):
        numbers.reserve(last, 1)

    assert path.stat().st_ino == before


def test_after_a_clean_end_any_earlier_log_is_an_older_one(tmp_path):
    numbers = Sequence(tmp_path / "sequence")
    numbers.reserve(0, 1)

    numbers.end(7)

    assert Sequence(tmp_path / "sequence").is_older(6)


def test_an_unreadable_file_is_as_none(tmp_path):
    (tmp_path / "sequence").write_text("ä\0")

    assert Sequence(tmp_path / "sequence").upto == 0


# ---- room ----


def test_room_is_really_allocated_and_given_up_once(tmp_path):
    kept = Reserve(tmp_path / "reserve", size=1024**2, margin=0)

    made = kept.make()
    blocks = (tmp_path / "reserve").stat().st_blocks

    assert made
    assert blocks * 512 >= 1024**2
    assert (kept.give_up(), kept.give_up()) == (True, False)


def test_no_room_is_kept_back_on_a_disk_that_has_little(tmp_path):
    assert not Reserve(tmp_path / "reserve", size=1024**2, margin=2**60).make()
    assert list(tmp_path.iterdir()) == []


# ---- backups ----


@pytest.fixture
def backups(tmp_path) -> Backups:
    database = Database(tmp_path / "manager.db")
    database.save(Batch(events=(NewEvent("t", "k", "s", {}),), whole=True))
    database.close()
    return Backups(tmp_path / "manager.db", tmp_path / "backups")


@pytest.mark.parametrize(("hours", "due"), [(0, False), (23, False), (25, True), (-25, True)])
def test_a_backup_is_due_when_there_is_none_of_the_last_interval(backups, hours, due):
    backups.make(NOW, 7)

    assert backups.is_due(NOW + timedelta(hours=hours), 86400) is due


def test_the_newest_backup_is_the_one_with_the_longest_log_whatever_the_clock_said(backups):
    ahead = backups.make(NOW + timedelta(days=365), 7)
    database = Database(backups.folder.parent / "manager.db")
    database.save(Batch(events=(NewEvent("t", "k", "s", {}),)))
    database.close()
    later = backups.make(NOW, 7)

    assert backups.newest_first() == [later, ahead]


def test_a_backup_that_broke_off_is_cleared_away_by_the_next(backups):
    backups.folder.mkdir()
    (backups.folder / f".{NOW:{FORM}}.new").write_bytes(b"half")

    made = backups.make(NOW, 7)

    assert list(backups.folder.iterdir()) == [made]


def test_without_room_no_backup_is_made_and_the_newest_stays(backups, monkeypatch):
    kept = backups.make(NOW, 7)
    monkeypatch.setattr("opmas.manager.state.backups.MARGIN", 2**60)

    with pytest.raises(FullError, match="MiB are needed"):
        backups.make(NOW + timedelta(days=1), 7)

    assert backups.newest_first() == [kept]


def test_no_older_backup_goes_when_that_makes_not_enough_room(backups, monkeypatch):
    for day in range(3):
        backups.make(NOW + timedelta(days=day), 7)
    monkeypatch.setattr("opmas.manager.state.backups.MARGIN", 2**60)

    with pytest.raises(FullError):
        backups.make(NOW + timedelta(days=3), 7)

    assert len(backups.newest_first()) == 3


# ---- the clock ----


def test_a_log_that_ends_just_now_shows_that_the_clock_is_right():
    clock = SetClock()
    wall = WallClock(clock)

    wall.begin("2026-06-01T11:00:00.000000Z")

    assert wall.is_trusted()


@pytest.mark.parametrize("newest", ["2025-06-01T11:00:00Z", "2027-06-01T11:00:00Z"])
def test_a_start_at_a_time_that_does_not_follow_is_trusted_after_a_day(newest):
    clock = SetClock()
    wall = WallClock(clock)
    wall.begin(newest)

    at_once = wall.is_trusted()
    clock.go_on(TRUSTED_AFTER)

    assert (at_once, wall.is_trusted()) == (False, True)


def test_a_clock_that_leaps_is_not_trusted_for_a_day_and_a_drift_is_no_leap():
    clock = SetClock()
    wall = WallClock(clock)
    wall.begin("")

    clock.wall += timedelta(minutes=5)
    drifted = wall.is_trusted()
    clock.wall += timedelta(days=365)
    leapt = wall.is_trusted()
    clock.go_on(TRUSTED_AFTER)

    assert (drifted, leapt, wall.is_trusted()) == (True, False, True)


# ---- what waits ----


class NoDatabase:
    """A disk that takes nothing, then all."""

    def __init__(self) -> None:
        self.saved: list[NewEvent] = []
        self.full = True

    def now(self) -> str:
        return "t"

    def save(self, batch: Batch) -> tuple[int, ...]:
        if self.full:
            raise StoreError("cannot save: full")
        self.saved += batch.events
        return tuple(range(1, len(batch.events) + 1))


def test_of_too_many_events_that_wait_agents_own_go_first_and_it_is_said():
    disk = NoDatabase()
    saver = Saver(disk, {})  # type: ignore[arg-type] # all that it uses
    own = [NewEvent("t", "opmas.agent.phase", "s", {}) for _ in range(100)]
    agents = [NewEvent("t", "agent.nap.said", "s", {}) for _ in range(BACKLOG)]

    saver.postpone(Roster(), Roster(), [*own, *agents])
    disk.full = False
    saver.save(Roster(), Roster(), [], "me")

    kinds = [event.type for event in disk.saved]
    assert kinds.count("opmas.agent.phase") == 100
    assert kinds.count("agent.nap.said") == BACKLOG - 100
    assert disk.saved[-1].data == {"count": 100, "reason": "disk-full"}
