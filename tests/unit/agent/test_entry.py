"""Where the code of a package is looked for."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opmas.agent.entry import EntryError, load_entry


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    path = sys.path[:]
    yield
    sys.path[:] = path
    sys.modules.pop("found_here", None)


def test_the_package_comes_first_then_its_libraries_then_the_system(tmp_path: Path) -> None:
    site = tmp_path / ".opmas" / "site"
    site.mkdir(parents=True)
    (tmp_path / "found_here.py").write_text("WHERE = 'package'\n")
    (site / "found_here.py").write_text("WHERE = 'libraries'\n")
    before = sys.path[:]

    found = load_entry(str(tmp_path), "found_here:WHERE")

    assert found == "package"
    assert sys.path == [str(tmp_path), str(site), *before]


def test_a_package_without_libraries_adds_its_own_directory_alone(tmp_path: Path) -> None:
    (tmp_path / "found_here.py").write_text("")
    before = sys.path[:]

    assert load_entry(str(tmp_path), "found_here:nothing") is None
    assert sys.path == [str(tmp_path), *before]


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="is no directory"):
        load_entry(str(tmp_path / "no"), "a:b")
