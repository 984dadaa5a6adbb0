"""Wheels as zip archives: the hostile ones are refused before they cost anything."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from opmas.bundles import limits, zips
from opmas.bundles.zips import open_zip, read_member
from opmas.errors import BundleError
from tests.unit.bundles.material import zip_bytes

if TYPE_CHECKING:
    from pathlib import Path


def refusal(folder: Path, content: bytes) -> str:
    path = folder / "x-1-py3-none-any.whl"
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught, open_zip(path) as archive:
        read_member(archive, "a", path.name, 2**20)
    return caught.value.code


def test_a_plain_zip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(zip_bytes({"a": "text", "folder/": "", "folder/b": ""}))

    with open_zip(path) as archive:
        assert read_member(archive, "a", "x", 4) == "text"


@pytest.mark.parametrize(
    "name",
    [
        "/a", "../a", "a/../b", "a//b", "./a", "a/.", "a\\b", "a\nb", "a\x7f", "x" * 256,
        "/".join(["x" * 99] * 5), "..", "a/..",
    ],
)  # fmt: skip
def test_a_path_that_leads_astray(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, zip_bytes({name: ""})) == "unsafe-path"


def test_a_name_with_a_nul(tmp_path: Path) -> None:
    content = zip_bytes({"evilXname": ""}).replace(b"evilXname", b"evil\0name")

    assert refusal(tmp_path, content) == "unsafe-path"


@pytest.mark.parametrize(
    ("mode", "name"),
    [(0o120777, "a"), (0o020666, "a"), (0o060666, "a"), (0o010666, "a"), (0o100644, "a/")],
    ids=["link", "character device", "block device", "pipe", "file with a folder's name"],
)
def test_a_member_that_is_no_plain_file(tmp_path: Path, mode: int, name: str) -> None:
    path = tmp_path / "x.zip"
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd" if name == "a" else "")

    assert refusal(tmp_path, path.read_bytes()) == "unsafe-member"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")

    assert refusal(tmp_path, path.read_bytes()) == "duplicate-member"


def test_a_bomb(tmp_path: Path) -> None:
    assert refusal(tmp_path, zip_bytes({"a": bytes(limits.WHEEL_FREE_SIZE + 1)})) == (
        "bundle-too-large"
    )


def test_a_bomb_whose_members_share_their_bytes(tmp_path: Path) -> None:
    """Overlapping members: what they say they unpack to is counted, whatever they share."""
    content = zip_bytes({"a": bytes(2**20)})
    directory = content.rindex(b"PK\1\2")
    entry = content[directory : content.rindex(b"PK\5\6")]
    many = b"".join(entry.replace(b"a", b"%c" % letter) for letter in range(97, 123))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 26, 26, len(many), directory, 0)

    assert refusal(tmp_path, content[:directory] + many + end) == "bundle-too-large"


def test_more_files_than_there_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WHEEL_FILES", 2)

    assert refusal(tmp_path, zip_bytes({"a": "", "b": "", "c": ""})) == "bundle-too-large"


def test_a_table_of_contents_that_would_fill_the_memory(tmp_path: Path) -> None:
    content = bytes(100) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**31, 0, 0)

    assert refusal(tmp_path, content) == "bundle-too-large"


def test_a_zip64_archive(tmp_path: Path) -> None:
    content = zip_bytes({"a": ""})
    end = content.rindex(b"PK\5\6")

    assert refusal(tmp_path, content[:end] + b"PK\6\7" + bytes(16) + content[end:]) == (
        "bundle-too-large"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: b"x" * 100,
        lambda content: content[:-1],
        lambda content: content + b"comment",
        lambda content: b"#!/bin/sh\n" + content,
        lambda content: content.replace(b"PK\1\2", b"PK\1\3"),
        lambda content: content.replace(b"PK\3\4", b"PK\3\5"),
        lambda content: content.replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x0e\0"),
        lambda content: content.replace(b"\x14\0\0\0\x08\0", b"\x14\0\1\0\x08\0"),
    ],
    ids=[
        "empty", "no zip", "cut", "a comment", "a script before it", "no table", "no member",
        "lzma", "encrypted",
    ],
)  # fmt: skip
def test_what_is_no_plain_zip(tmp_path: Path, spoil) -> None:
    assert refusal(tmp_path, spoil(zip_bytes({"a": "x" * 100}))) == "unfit-wheel"


def test_metadata_that_would_fill_the_memory(tmp_path: Path) -> None:
    assert refusal(tmp_path, zip_bytes({"a": bytes(2**20 + 1)})) == ("bundle-too-large")


def test_a_checksum_that_is_wrong(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"a": "x" * 100}))
    content[14] ^= 1  # in the member's own header
    content[content.rindex(b"PK\1\2") + 16] ^= 1  # in the table of contents

    assert refusal(tmp_path, bytes(content)) == "unfit-wheel"


def test_a_path_of_any_script_is_fine(tmp_path: Path) -> None:
    zips.check_path("pkg/d\u00e9j\u00e0-vu/\u65e5\u672c.txt", "x")
