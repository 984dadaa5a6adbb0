"""The rescue from its start to its end, with a systemd and a clock of the test's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from opmas.rescue.judge import Unit
from opmas.rescue.loop import Clock, Rescue
from opmas.rescue.places import MANAGER, Places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BOOT = "boot-2"
WEB, DB = "opmas-agent@web.service", "opmas-agent@db.service"
DOWN = Unit(
    MANAGER, active="failed", result="exit-code", enabled="enabled", exit_code=1, exit_status=1,
    exited_at=1.0, went_down_at=2.0, changed_at=2.1,
)  # fmt: skip
UP = Unit(MANAGER, active="active", enabled="enabled", pid=10)


class World(Clock):
    """A systemd whose manager comes up at the given attempt, and the time there."""

    def __init__(self, comes_up_at: int = 1) -> None:
        self.seconds = 0.0
        self.units = {MANAGER: DOWN, WEB: Unit(WEB), DB: Unit(DB)}
        self.said: list[tuple[float, str]] = []
        self._attempts_left = comes_up_at

    def now(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def wait(self, seconds: float) -> None:
        assert self.seconds < 50_000, "the rescue does not end"
        self.seconds += seconds

    def show(self, units: Sequence[str]) -> dict[str, Unit]:
        return {name: self.units[name] for name in units if name in self.units}

    def start(self, units: Sequence[str], limit: float) -> str:
        assert limit > 0
        self.said.append((self.seconds, f"start {' '.join(units)}"))
        for unit in units:
            self.units[unit] = Unit(unit, active="active")
        return ""

    def start_later(self, unit: str) -> str:
        self.said.append((self.seconds, f"try {unit}"))
        self._attempts_left -= 1
        if self._attempts_left == 0:
            self.units[unit] = UP
        return ""

    def forgive(self, unit: str) -> None:
        self.said.append((self.seconds, f"reset-failed {unit}"))

    def last_lines(self, unit: str) -> list[str]:
        return [f"the end of {unit}"]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(*(tmp_path / name for name in ("state", "run", "units", "etc")))
    for path in made:
        path.mkdir()
    rows = [{"name": n, "unit": u, "boot_id": "boot-1"} for n, u in (("db", DB), ("web", WEB))]
    made.last_good.write_text(json.dumps({"agents": rows}))
    for unit in (WEB, DB):
        made.drop_in(unit).parent.mkdir()
        made.drop_in(unit).touch()
    return made


def rescue(places: Places, world: World) -> dict[str, Any]:
    """Run it to its end, and return what it wrote last."""
    Rescue(places, world, world, BOOT).run()
    document: dict[str, Any] = json.loads(places.report.read_text())
    return document


def test_the_agents_start_at_once_and_the_manager_is_tried_after_a_minute(places: Places) -> None:
    world = World()

    report = rescue(places, world)

    assert world.said == [
        (0.0, f"start {DB} {WEB}"),
        (60.0, f"reset-failed {MANAGER}"),
        (60.0, f"try {MANAGER}"),
    ]
    assert report["started"] == [DB, WEB]
    assert report["why"] == "crash-loop"
    assert report["lines"] == [f"the end of {MANAGER}"]
    assert report["next_attempt"] == "2026-01-01T00:01:00Z"


def test_the_pauses_between_attempts_grow(places: Places) -> None:
    world = World(comes_up_at=5)

    report = rescue(places, world)

    times = [at for at, what in world.said if what.startswith("try")]
    pauses = [late - early for early, late in zip([0.0, *times], times, strict=False)]
    assert [round(pause / 60) for pause in pauses] == [1, 5, 15, 30, 30]
    assert report["attempts"] == 4


def test_it_ends_only_when_the_manager_stays_up_for_a_minute(places: Places) -> None:
    world = World()

    rescue(places, world)

    assert world.seconds >= 120.0


def test_an_edit_of_the_settings_is_tried_at_once(places: Places) -> None:
    world = World(comes_up_at=2)
    settings = places.config / "opmas.yaml"

    class Edited(World):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            if self.seconds > 100 and not settings.exists():
                settings.touch()

    world = Edited(comes_up_at=2)
    rescue(places, world)

    times = [at for at, what in world.said if what.startswith("try")]
    assert times[1] < 120.0


@pytest.mark.parametrize("state", ["disabled", "masked"])
def test_a_manager_that_is_disabled_meanwhile_is_not_tried(places: Places, state: str) -> None:
    world = World()
    world.units[MANAGER] = DOWN._replace(enabled=state)

    rescue(places, world)

    assert world.said == [(0.0, f"start {DB} {WEB}")]


def test_a_stop_by_hand_that_ended_badly_is_no_business_of_the_rescue(places: Places) -> None:
    world = World()
    world.units[MANAGER] = DOWN._replace(result="timeout", exited_at=2.0, changed_at=2.0)

    Rescue(places, world, world, BOOT).run()

    assert world.said == []
    assert not places.report.exists()


def test_a_rescue_that_was_killed_goes_on_and_starts_no_agent_twice(places: Places) -> None:
    begun = {"boot_id": BOOT, "since": "2025-12-31T00:00:00Z", "started": [WEB]}
    places.report.write_text(json.dumps(begun))
    world = World()

    report = rescue(places, world)

    assert world.said[0] == (0.0, f"start {DB}")
    assert report["since"] == begun["since"]
    assert report["left"] == {"web": "it was stopped in this boot"}


def test_without_a_last_good_file_the_declared_agents_are_started(places: Places) -> None:
    places.last_good.write_text("{")
    for name, desired in (("web", "running"), ("db", "stopped")):
        folder = places.state / "agents" / name
        folder.mkdir(parents=True)
        (folder / "agent.json").write_text(json.dumps({"spec": {"desired": desired}}))
    world = World()

    report = rescue(places, world)

    assert report["started"] == [WEB]


def test_a_report_that_cannot_be_written_does_not_keep_agents_from_starting(
    places: Places,
) -> None:
    places.runtime.rmdir()
    places.runtime.touch()
    world = World()

    Rescue(places, world, world, BOOT).run()

    assert world.said[0] == (0.0, f"start {DB} {WEB}")


def test_what_was_stopped_after_the_set_was_written_is_not_started_by_the_next_boot(
    places: Places,
) -> None:
    folder = places.state / "agents" / "web"
    folder.mkdir(parents=True)
    (folder / "agent.json").write_text(json.dumps({"spec": {"desired": "stopped"}}))
    world = World()

    report = rescue(places, world)

    assert report["started"] == [DB]
