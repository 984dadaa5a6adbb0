"""What the scripts of packages ask of the guard, before dpkg unpacks anything."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from opmas.rescue import dpkg, guard, keep
from opmas.rescue.documents import read_document, write_document
from opmas.rescue.dpkg import Package
from opmas.rescue.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WATCHED = {"from": "0.2.0", "to": "0.3.0", "phase": "watching"}


class Host:
    """The packages of OPMAS on it, and whether they can be put aside."""

    def __init__(self) -> None:
        self.version = "0.3.0"
        self.wrong = ""
        self.tries = 0
        self.enabled = 0

    def packages(self) -> dict[str, Package]:
        return {dpkg.MAIN: Package(dpkg.MAIN, self.version, "all", "installed")}

    def keep_debs(self, folder: Path, packages: Iterable[Package]) -> str:
        self.tries += 1
        if self.wrong == "killed":
            raise KeyboardInterrupt
        if not self.wrong:
            names = [package.name for package in packages]
            folder.mkdir(parents=True)
            for name in names:
                (folder / name).touch()
            write_document(folder / keep.KEPT, {"debs": {name: name for name in names}})
        return self.wrong

    def enable(self) -> None:
        self.enabled += 1


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(*(tmp_path / name for name in ("state", "run", "units", "etc")))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    host = Host()
    monkeypatch.setattr(dpkg, "packages", host.packages)
    monkeypatch.setattr(dpkg, "is_newer", lambda one, other: one > other)
    monkeypatch.setattr(keep, "keep_debs", host.keep_debs)
    monkeypatch.setattr(guard, "_runs", lambda: True)
    monkeypatch.setattr(guard, "_enable", host.enable)
    monkeypatch.setattr(guard, "ETC", tmp_path)
    monkeypatch.setattr(guard, "WANTED", tmp_path / "wanted")
    return host


def pending(places: Places) -> dict[str, Any] | None:
    return read_document(places.guard / guard.PENDING)


def test_what_is_installed_is_put_aside_once_for_all_packages_of_an_upgrade(
    places: Places, host: Host
) -> None:
    guard.arm(places, "0.4.0")
    guard.arm(places, "0.4.0")

    assert pending(places) == {"from": "0.3.0", "to": "0.4.0", "phase": "watching"}
    assert (host.tries, host.enabled) == (1, 1)
    assert not (places.guard / guard.TRIED).exists()


@pytest.mark.parametrize("wrong", ["killed", "the disk is full"])
def test_what_could_not_be_put_aside_in_time_is_not_begun_again_by_each_package(
    places: Places, host: Host, wrong: str
) -> None:
    host.wrong = wrong
    try:
        guard.arm(places, "0.4.0")
    except KeyboardInterrupt:
        (places.guard / "0.3.0" / "opmas.tree").mkdir(parents=True)  # as SIGTERM leaves it
    host.wrong = ""

    guard.arm(places, "0.4.0")

    assert host.tries == 1
    assert pending(places) is None
    assert [path.name for path in places.guard.iterdir()] == [guard.TRIED]


def test_a_later_try_of_the_same_upgrade_and_any_other_upgrade_are_tries_of_their_own(
    places: Places, host: Host
) -> None:
    host.wrong = "the disk is full"
    guard.arm(places, "0.4.0")
    guard.arm(places, "0.5.0")
    long_ago = (places.guard / guard.TRIED).stat().st_mtime - guard.TRIED_FOR - 1
    os.utime(places.guard / guard.TRIED, (long_ago, long_ago))

    host.wrong = ""
    guard.arm(places, "0.5.0")

    assert host.tries == 3
    assert pending(places) == {"from": "0.3.0", "to": "0.5.0", "phase": "watching"}


@pytest.mark.parametrize("version", ["0.4.0", "0.2.9"])
def test_a_package_of_another_version_changes_nothing_about_the_watch(
    places: Places, host: Host, version: str
) -> None:
    write_document(places.guard / guard.PENDING, WATCHED)
    (places.guard / "0.2.0").mkdir()

    guard.arm(places, version)

    assert pending(places) == WATCHED
    assert (places.guard / "0.2.0").exists()
    assert host.tries == 0, "the way back is there"
    assert host.enabled == 1


def test_nothing_disturbs_the_way_back(places: Places, host: Host) -> None:
    reverting = json.loads(json.dumps({**WATCHED, "phase": guard.REVERTING}))
    write_document(places.guard / guard.PENDING, reverting)

    guard.arm(places, "0.2.0")

    assert pending(places) == reverting
    assert host.enabled == 0
