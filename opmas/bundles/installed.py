"""An installed version held against its receipt."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.errors import InvalidError
from opmas.packages.receipt import RECEIPT, read_receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 20


def verify_installed(directory: Path) -> tuple[str, ...]:
    """Return what differs from the receipt as `path: reason`, at most 20 times.

    Foreign .pyc are no difference: another Python may have left them, and ours reads its own.
    """
    try:
        receipt = read_receipt(directory)
    except InvalidError as error:
        return (f"{RECEIPT}: {error.message}",)
    if receipt is None:
        return (f"{RECEIPT}: is missing",)
    problems: list[str] = []
    for problem in _differences(directory, receipt.files):
        problems.append(problem)
        if len(problems) == SHOWN:
            break
    return tuple(problems)


def _differences(directory: Path, files: dict[str, str]) -> Iterator[str]:
    for path, listed in files.items():
        reason = _difference(directory / path, listed)
        if reason:
            yield f"{path}: {reason}"
    for path in _files(directory):
        foreign = "__pycache__/" in path and path.endswith(".pyc")
        if path not in files and path != RECEIPT and not foreign:
            yield f"{path}: was not installed"


def _difference(path: Path, listed: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {(error.strerror or '').lower()}"
    return "" if found == listed else "was changed"


def _files(directory: Path) -> Iterator[str]:
    for folder, below, names in os.walk(directory):
        links = [name for name in below if (Path(folder) / name).is_symlink()]
        for name in names + links:
            yield (Path(folder) / name).relative_to(directory).as_posix()
