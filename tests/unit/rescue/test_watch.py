"""The guard at work: whom it watches, and its way back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from opmas.rescue import dpkg, guard, watch
from opmas.rescue.documents import read_document, write_document
from opmas.rescue.judge import Unit
from opmas.rescue.places import MANAGER, Places
from opmas.rescue.verdict import STAYS, Look, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WATCHED = {"from": "0.2.0", "to": "0.3.0", "phase": "watching"}


class Upgrade:
    """A host on which dpkg installs versions of a manager that does well, at the given seconds."""

    def __init__(self, *versions: tuple[float, str]) -> None:
        self.seconds = 0.0
        self.waited: list[float] = []
        self._versions = versions

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert self.seconds < 1000, "the watch does not end"
        self.seconds += seconds

    def look(self, _before: str) -> Look:
        installed = [version for since, version in self._versions if since <= self.seconds][-1]
        up = Unit(MANAGER, active="active", pid=int(installed.replace(".", "")))
        return Look(self.seconds, installed, whole=True, manager=up, answers=True)

    def wait(self) -> None:
        self.waited.append(self.seconds)


@contextlib.contextmanager
def nobody_has_it() -> Iterator[bool]:
    yield True


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(*(tmp_path / name for name in ("state", "run", "units", "etc")))
    write_document(places.guard / guard.PENDING, WATCHED)
    return places


def watched(places: Places, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    at_work = watch.Guard(places)
    monkeypatch.setattr(watch, "time", upgrade)
    monkeypatch.setattr(at_work, "_look", upgrade.look)
    monkeypatch.setattr(at_work, "_wait_for_dpkg", upgrade.wait)
    monkeypatch.setattr(dpkg, "frontend_lock", nobody_has_it)
    monkeypatch.setattr(dpkg, "is_newer", lambda one, other: one > other)
    return at_work._watch().verdict


def test_a_manager_that_does_well_for_a_minute_is_well(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = Upgrade((0, "0.3.0"))

    assert watched(places, upgrade, monkeypatch) is Verdict.WELL
    assert upgrade.seconds == STAYS


@pytest.mark.parametrize("at", [0, 30], ids=["before the watch", "during the watch"])
def test_the_next_upgrade_of_the_manager_is_watched_in_its_place_from_its_own_begin(
    places: Places, monkeypatch: pytest.MonkeyPatch, at: float
) -> None:
    upgrade = Upgrade((-1, "0.3.0"), (at, "0.4.0"))

    assert watched(places, upgrade, monkeypatch) is Verdict.WELL
    assert read_document(places.guard / guard.PENDING) == {**WATCHED, "to": "0.4.0"}
    assert upgrade.seconds == at + STAYS
    assert upgrade.waited[-1] == at


def test_a_version_that_somebody_insists_on_is_left(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_document(places.guard / guard.UNDONE, {"0.4.0": 2})

    verdict = watched(places, Upgrade((0, "0.3.0"), (30, "0.4.0")), monkeypatch)

    assert verdict is Verdict.LEFT


@pytest.mark.parametrize("version", ["0.2.0", "0.1.0"])
def test_an_older_version_that_is_installed_by_hand_is_left(
    places: Places, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    verdict = watched(places, Upgrade((0, "0.3.0"), (30, version)), monkeypatch)

    assert verdict is Verdict.LEFT


def test_nothing_is_touched_while_dpkg_does_not_say_what_is_installed(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = places.guard / "0.3.0"
    kept.mkdir(parents=True)
    (kept / "opmas-manager.deb").touch()
    write_document(kept / "kept.json", {"debs": {"opmas-manager": "opmas-manager.deb"}})
    running = tmp_path / "trees" / "0.4.0"
    running.mkdir(parents=True)
    monkeypatch.setattr(watch, "TREES", tmp_path / "trees")
    monkeypatch.setattr(watch, "call", lambda *_, **__: (0, ""))
    monkeypatch.setattr(dpkg, "packages", dict)

    restored, wrong = watch.Guard(places)._install("0.3.0", "0.4.0")

    assert (restored, wrong) == ("", "dpkg does not say what is installed")
    assert running.exists()
