"""Copies of directories whose owner is not trusted, and their removal."""

import os
import socket
import stat
from pathlib import Path

import pytest

from opmas.errors import InvalidError
from opmas.work import tree
from opmas.work.tree import Copier, Size, measure, opened, remove_tree
from tests.unit.work.tasks import names

MTIME = 1_500_000_000_123_456_789


def copied(source: Path, target: Path) -> Size:
    target.mkdir()
    with opened(str(source)) as one, opened(str(target)) as other:
        return Copier(other).copy(one)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_text("content")
    return folder


def test_files_keep_content_mode_and_times(source: Path, tmp_path: Path) -> None:
    file = source / "deep" / "er" / "file"
    file.chmod(0o640)
    os.utime(file, ns=(MTIME, MTIME))

    copied(source, tmp_path / "copy")

    copy = tmp_path / "copy" / "deep" / "er" / "file"
    assert copy.read_text() == "content"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert copy.stat().st_mtime_ns == MTIME


def test_directories_keep_mode_and_times(source: Path, tmp_path: Path) -> None:
    (source / "deep").chmod(0o2750)
    os.utime(source / "deep", ns=(MTIME, MTIME))
    os.utime(source, ns=(MTIME, MTIME))

    copied(source, tmp_path / "copy")

    copy = (tmp_path / "copy" / "deep").stat()
    assert (stat.S_IMODE(copy.st_mode), copy.st_mtime_ns) == (0o2750, MTIME)
    assert (tmp_path / "copy").stat().st_mtime_ns == MTIME


def test_a_link_stays_a_link_and_is_not_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (source / "to-directory").symlink_to("../outside")
    (source / "to-file").symlink_to("../outside/secret")

    size = copied(source, tmp_path / "copy")

    assert (tmp_path / "copy" / "to-directory").readlink() == Path("../outside")
    assert (tmp_path / "copy" / "to-file").readlink() == Path("../outside/secret")
    assert size.entries == 5


def test_a_link_in_the_place_of_the_directory_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)

    with pytest.raises(NotADirectoryError), opened(str(tmp_path / "link")):
        pass


def test_two_names_of_one_file_stay_one_file(source: Path, tmp_path: Path) -> None:
    os.link(source / "deep" / "er" / "file", source / "twin")

    copied(source, tmp_path / "copy")

    one, other = tmp_path / "copy" / "deep" / "er" / "file", tmp_path / "copy" / "twin"
    assert one.stat().st_ino == other.stat().st_ino
    assert one.stat().st_ino != (source / "twin").stat().st_ino


def test_a_copy_shares_no_file_with_its_source(source: Path, tmp_path: Path) -> None:
    copied(source, tmp_path / "copy")

    with (source / "deep" / "er" / "file").open("r+") as file:
        file.write("CHANGED")

    assert (tmp_path / "copy" / "deep" / "er" / "file").read_text() == "content"


def test_extended_attributes_are_kept(source: Path, tmp_path: Path) -> None:
    os.setxattr(source / "deep" / "er" / "file", "user.note", b"kept")
    os.setxattr(source / "deep", "user.note", b"too")

    copied(source, tmp_path / "copy")

    assert os.getxattr(tmp_path / "copy" / "deep" / "er" / "file", "user.note") == b"kept"
    assert os.getxattr(tmp_path / "copy" / "deep", "user.note") == b"too"


def test_holes_stay_holes(source: Path, tmp_path: Path) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"middle")

    size = copied(source, tmp_path / "copy")

    copy = tmp_path / "copy" / "sparse"
    with copy.open("rb") as file:
        file.seek(1 << 29)
        assert file.read(6) == b"middle"
    assert copy.stat().st_size == 1 << 30
    assert copy.stat().st_blocks * 512 < 1 << 20
    assert size.bytes < 1 << 20


def test_what_is_no_file_is_left_out(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))

    copied(source, tmp_path / "copy")

    assert names(tmp_path / "copy") == ["deep"]


def test_names_that_are_no_text_are_kept(source: Path, tmp_path: Path) -> None:
    (source / os.fsdecode(b"\xff\n")).write_text("odd")

    copied(source, tmp_path / "copy")

    assert (tmp_path / "copy" / os.fsdecode(b"\xff\n")).read_text() == "odd"


def test_the_size_is_what_the_files_take_of_the_disk(source: Path) -> None:
    (source / "big").write_bytes(b"x" * 100_000)

    with opened(str(source)) as directory:
        size = measure(directory)

    assert size.entries == 4
    assert 100_000 <= size.bytes < 200_000


def test_a_directory_that_is_too_deep_is_refused(source: Path, tmp_path: Path) -> None:
    make_deep(source, tree.DEPTH_LIMIT + 2)

    with pytest.raises(InvalidError, match="more than 64 directories deep"):
        copied(source, tmp_path / "copy")
    with pytest.raises(InvalidError, match="64"), opened(str(source)) as directory:
        measure(directory)


def test_too_many_entries_are_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "ENTRY_LIMIT", 2)

    with pytest.raises(InvalidError, match="more than 2 entries"):
        copied(source, tmp_path / "copy")


def test_too_many_files_with_several_names_are_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LINKED_LIMIT", 3 * tree.ENTRY_MEMORY)
    for number in range(3):
        (source / f"{number}").write_text("x")
        os.link(source / f"{number}", source / f"{number}-again")

    with pytest.raises(InvalidError, match="several names"):
        copied(source, tmp_path / "copy")


def test_what_is_removed_may_be_deeper_than_the_stack(tmp_path: Path) -> None:
    make_deep(tmp_path / "source", 1500)

    with opened(str(tmp_path)) as directory:
        remove_tree("source", directory)

    assert names(tmp_path) == []


def test_a_removal_follows_no_link(source: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("stays")
    (source / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "link").symlink_to(tmp_path / "outside")

    with opened(str(tmp_path)) as directory:
        remove_tree("source", directory)
        remove_tree("link", directory)

    assert names(tmp_path) == ["outside"]
    assert (tmp_path / "outside" / "file").read_text() == "stays"


def test_a_removal_takes_some_entries_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "ENTRIES_AT_ONCE", 2)
    for number in range(5):
        (tmp_path / "source" / f"d{number}" / "below").mkdir(parents=True)
        (tmp_path / "source" / f"f{number}").touch()

    with opened(str(tmp_path)) as directory:
        remove_tree("source", directory)

    assert names(tmp_path) == []


def test_nothing_to_remove_is_fine(tmp_path: Path) -> None:
    with opened(str(tmp_path)) as directory:
        remove_tree("none", directory)


def make_deep(folder: Path, depth: int) -> None:
    folder.mkdir(exist_ok=True)
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
