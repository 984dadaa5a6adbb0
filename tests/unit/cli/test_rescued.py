"""What people are told of the rescue while there is no manager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from opmas.cli.rescued import TRY_NOW, find_rescue

if TYPE_CHECKING:
    from pathlib import Path

REPORT: dict[str, Any] = {
    "since": "2026-01-31T12:00:00Z",
    "pid": 7,
    "message": "it failed again and again: exit-code 1 after 5 restarts",
    "lines": [
        "Starting opmas-manager.service - OPMAS agent manager...",
        "Traceback (most recent call last):",
        "  File x",
        "ImportError: no module",
        "opmas-manager.service: Failed with result 'exit-code'.",
    ],
    "started": ["opmas-agent@web.service", "opmas-agent@db.service"],
    "left": {"idle": "it was stopped in this boot"},
    "next_attempt": "2026-01-31T12:01:00Z",
}


def find(folder: Path, text: str, *, alive: bool = True) -> list[str]:
    (folder / "rescue.json").write_text(text)
    return find_rescue(str(folder / "manager.sock"), lambda _pid: alive)


def test_it_says_since_when_why_and_what_it_did(tmp_path: Path) -> None:
    assert find(tmp_path, json.dumps(REPORT)) == [
        (
            "opmas-rescue runs since 2026-01-31T12:00:00Z: opmas-manager is down:"
            " it failed again and again: exit-code 1 after 5 restarts"
        ),
        "it started web, db",
        "it left idle as it is: it was stopped in this boot",
        "| Traceback (most recent call last):",
        "|   File x",
        "| ImportError: no module",
        (
            "it tries the manager again at 2026-01-31T12:01:00Z, or as soon as it was changed;"
            f" now: `{TRY_NOW}`"
        ),
    ]


def test_a_rescue_that_had_nothing_to_start_says_so(tmp_path: Path) -> None:
    lines = find(tmp_path, json.dumps({**REPORT, "started": [], "left": {}, "lines": None}))

    assert lines[1:-1] == ["it started no agent: none had to be"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({**REPORT, "pid": "7"})])
def test_a_strange_report_is_none(tmp_path: Path, text: str) -> None:
    assert find(tmp_path, text) == []


def test_the_report_of_a_rescue_that_ended_is_none(tmp_path: Path) -> None:
    assert find(tmp_path, json.dumps(REPORT), alive=False) == []


def test_without_a_report_there_is_no_rescue(tmp_path: Path) -> None:
    assert find_rescue(str(tmp_path / "manager.sock")) == []
