"""What the guard is left with after a power cut: all of the way back, or none of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from opmas.rescue import keep
from opmas.rescue.documents import write_document
from opmas.rescue.dpkg import Package


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """What was brought to the disk."""
    found: set[Path] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        found.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_the_program_that_it_runs_from_is_on_the_disk(tmp_path: Path, synced: set[Path]):
    folder = tmp_path / "program"

    keep.keep_program(folder)

    files = {path for path in folder.rglob("*") if path.is_file()}
    assert folder / "__main__.py" in files
    assert files | {folder, tmp_path} <= synced


def test_the_packages_are_on_the_disk_before_the_note_that_they_are(
    tmp_path: Path, synced: set[Path], monkeypatch: pytest.MonkeyPatch
):
    def made(_package: object, target: Path) -> str:
        target.write_bytes(b"deb")
        return ""

    def noted(path: Path, document: dict[str, Any]) -> None:
        before.update(synced)
        write_document(path, document)

    package = Package("opmas-manager", "1.0", "all", "installed")
    before: set[Path] = set()
    monkeypatch.setattr(keep, "_keep", made)
    monkeypatch.setattr(keep, "write_document", noted)

    assert keep.keep_debs(tmp_path / "1.0", [package]) == ""

    assert tmp_path / "1.0" / "opmas-manager.deb" in before
    assert tmp_path in before
