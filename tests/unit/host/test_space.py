"""The room on a file system."""

from __future__ import annotations

import os
import shutil

import pytest

from opmas.host.space import Space, read_space


def statvfs(**changes: int) -> os.statvfs_result:
    figures = {
        "f_bsize": 4096, "f_frsize": 1024, "f_blocks": 1000, "f_bfree": 150, "f_bavail": 100,
        "f_files": 50, "f_ffree": 10, "f_favail": 10, "f_flag": 0, "f_namemax": 255, "f_fsid": 0,
    }  # fmt: skip
    return os.statvfs_result(tuple({**figures, **changes}.values()))


@pytest.mark.parametrize(
    ("changes", "space"),
    [
        ({}, Space(102400, 100 / 950)),
        ({"f_bavail": 0}, Space(0, 0.0)),
        ({"f_favail": 0}, Space(0, 0.0)),
        ({"f_files": 0, "f_favail": 0}, Space(102400, 100 / 950)),  # btrfs makes inodes as needed
        ({"f_blocks": 0, "f_bfree": 0, "f_bavail": 0}, Space(0, 0.0)),
    ],
)
def test_the_room_is_what_others_than_root_have(tmp_path, monkeypatch, changes, space):
    monkeypatch.setattr("opmas.host.space.os.statvfs", lambda path: statvfs(**changes))

    assert read_space(tmp_path) == space


def test_the_room_is_that_of_df(tmp_path):
    space = read_space(tmp_path)

    assert space is not None
    assert space.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.01)
    assert 0 < space.fraction < 1


def test_a_path_that_is_not_there_cannot_be_asked(tmp_path):
    assert read_space(tmp_path / "nothing") is None
