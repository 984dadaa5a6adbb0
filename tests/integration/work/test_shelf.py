"""The .debs that are kept for a rollback, with the machine's own dpkg-deb."""

import os
from pathlib import Path

import pytest

from opmas.errors import InvalidError
from opmas.work.dpkg import Built, is_older, read_deb
from opmas.work.shelf import KEPT, Debs, copy_deb
from tests.system.apt_repository import Sample, build_deb
from tests.unit.work.tasks import names

WEB = "opmas-agent-web"


@pytest.fixture
def debs(tmp_path: Path) -> Debs:
    return Debs(tmp_path / "debs")


def make(folder: Path, version: str, name: str = WEB) -> Path:
    return build_deb(Sample(name, version), folder)


def test_a_deb_says_what_it_is(tmp_path: Path) -> None:
    assert read_deb(make(tmp_path, "1:2.0~rc1")) == Built(WEB, "1:2.0~rc1", "all")


def test_what_is_no_deb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("no deb")

    with pytest.raises(InvalidError, match="no Debian package"):
        read_deb(tmp_path / "x.deb")


def test_a_kept_deb_is_found_by_its_version(tmp_path: Path, debs: Debs) -> None:
    kept = debs.add(make(tmp_path, "1:2.0~rc1"), WEB, "1:2.0~rc1")

    assert debs.find(WEB, "1:2.0~rc1") == kept
    assert debs.find(WEB, "2.0") is None
    assert names(tmp_path / "debs") == ["opmas-agent-web_1%3A2.0~rc1_all.deb"]


def test_a_deb_of_another_version_or_package_is_not_taken(tmp_path: Path, debs: Debs) -> None:
    assert debs.add(make(tmp_path, "1.0"), WEB, "2.0") is None
    assert debs.add(make(tmp_path, "2.0", "opmas-agent-db"), WEB, "2.0") is None


def test_a_file_that_only_has_the_name_is_not_found(tmp_path: Path, debs: Debs) -> None:
    (tmp_path / "debs").mkdir()
    make(tmp_path, "2.0").rename(tmp_path / "debs" / "opmas-agent-web_1.0_all.deb")

    assert debs.find(WEB, "1.0") is None


def test_the_oldest_go(tmp_path: Path, debs: Debs) -> None:
    versions = [f"{number}.0" for number in range(KEPT + 2)]
    for version in versions:
        debs.add(make(tmp_path, version), WEB, version)

    assert debs.versions(WEB) == tuple(reversed(versions[-KEPT:]))


def test_a_given_deb_is_copied_once_and_for_all(tmp_path: Path) -> None:
    given = make(tmp_path, "1.0")
    (tmp_path / "job").mkdir()

    copy = copy_deb(given, tmp_path / "job" / "given.deb")
    make(tmp_path, "2.0").replace(given)

    assert read_deb(copy).version == "1.0"


@pytest.mark.parametrize("kind", ["missing", "fifo", "directory"])
def test_a_given_path_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "given"
    if kind == "fifo":
        os.mkfifo(path)
    if kind == "directory":
        path.mkdir()

    with pytest.raises(InvalidError, match="cannot read"):
        copy_deb(path, tmp_path / "copy.deb")


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [("1.0", "2.0", True), ("1.0~rc1", "1.0", True), ("1:1.0", "2.0", False), ("1", "1", False)],
)
def test_versions_are_ordered_as_dpkg_does(one: str, other: str, older: bool) -> None:
    assert is_older(one, other) is older
