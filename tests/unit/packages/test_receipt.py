"""Receipts of installed versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from opmas.errors import InvalidError
from opmas.packages import receipt as receipts
from opmas.packages.receipt import RECEIPT, Receipt, Trust, dump_receipt, read_receipt

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Receipt(
    name="web",
    version="1.0.0",
    digest="a" * 64,
    trust=Trust.KEY,
    key="0123456789ABCDEF",
    delivered_by="deb:opmas-agent-web",
    installed_at="2027-01-01T00:00:00Z",
    bytes=12,
    files={"web.py": "b" * 64},
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / RECEIPT).parent.mkdir()
    (tmp_path / RECEIPT).write_text(dump_receipt(WHOLE))
    return tmp_path


def test_a_receipt_comes_back(directory: Path) -> None:
    assert read_receipt(directory) == WHOLE


def test_what_was_not_installed_has_none(tmp_path: Path) -> None:
    assert read_receipt(tmp_path) is None
    assert read_receipt(tmp_path / "gone") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"api": "opmas.receipt/v2"},
        {"digest": "abc"},
        {"trust": "friend"},
        {"bytes": -1},
        {"files": []},
        {"files": {"x": "y"}},
        {"more": 1},
    ],
)
def test_a_wrong_one_is_named(directory: Path, changes: dict[str, Any]) -> None:
    document = json.loads(dump_receipt(WHOLE)) | changes
    (directory / RECEIPT).write_text(json.dumps(document))

    with pytest.raises(InvalidError, match=next(iter(changes))):
        read_receipt(directory)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_said(directory: Path, text: str) -> None:
    (directory / RECEIPT).write_text(text)

    with pytest.raises(InvalidError, match="no JSON"):
        read_receipt(directory)


def test_a_huge_one_is_not_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "SIZE_LIMIT", 10)

    with pytest.raises(InvalidError, match="more than 10 bytes"):
        read_receipt(directory)
