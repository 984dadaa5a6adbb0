"""Files that are whole at any moment."""

from __future__ import annotations

import pytest

from opmas.host.files import remove_file, write_whole


def test_a_file_is_written_with_its_mode_and_only_when_it_changes(tmp_path):
    path = tmp_path / "a" / "file"

    assert write_whole(path, "one", 0o600)
    assert not write_whole(path, "one", 0o600)
    assert write_whole(path, "one", 0o644)
    with path.open() as reader:
        assert write_whole(path, "two", 0o644)

        assert reader.read() == "one", "who reads it has the old one, whole"
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_link_in_the_way_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / ".file.new").symlink_to(target)

    with pytest.raises(OSError, match="symbolic links"):
        write_whole(tmp_path / "file", "text")

    assert target.read_text() == "precious"


def test_a_removal_leaves_what_others_put_beside(tmp_path):
    write_whole(tmp_path / "unit.d/ours.conf", "x")
    (tmp_path / "unit.d/theirs.conf").write_text("y")

    remove_file(tmp_path / "unit.d/ours.conf")
    assert (tmp_path / "unit.d/theirs.conf").exists()
    remove_file(tmp_path / "unit.d/theirs.conf")

    assert not (tmp_path / "unit.d").exists()
    remove_file(tmp_path / "unit.d/never-there")
