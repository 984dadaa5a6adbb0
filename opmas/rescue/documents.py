"""JSON files that are whole at any moment, and read with no trust in what they hold."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def read_document(path: Path) -> dict[str, Any] | None:
    """Return the file's object; None when there is none, or it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_document(path: Path, document: dict[str, Any], mode: int = 0o640) -> None:
    """Make the file hold the object, on the disk; the old one or the new one. Raises OSError."""
    write_text(path, json.dumps(document, indent=1) + "\n", mode)


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Make the file hold the text, on the disk; the old one or the new one. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 -- opened without links
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    beside.rename(path)
    sync_directory(path.parent)


def sync_tree(path: Path) -> None:
    """Bring the directory, all files in it, and its own name to the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            _sync(os.path.join(folder, name), os.O_NOFOLLOW)  # noqa: PTH118 -- as os.walk has it
        _sync(folder, os.O_DIRECTORY)
    _sync(path.parent, os.O_DIRECTORY)


def sync_directory(path: Path) -> None:
    """Bring the directory's entries to the disk."""
    _sync(path, os.O_DIRECTORY)


def _sync(path: Path | str, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
