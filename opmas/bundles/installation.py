"""Installs a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.packages.receipt import Trust


@dataclass(frozen=True, slots=True)
class Place:
    """Where versions are installed, and whom the host trusts."""

    root: Path
    trusted_keys: Path
    allow_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Installed:
    """A version that is installed now; `fresh` tells that it was not before."""

    name: str
    version: str
    digest: str
    trust: Trust
    key: str
    bytes: int
    fresh: bool


def install(
    path: Path,
    *,
    place: Place,
    expect_name: str = "",
    expect_version: str = "",
    delivered_by: str = "",
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> Installed:
    """Install the bundle."""
    raise NotImplementedError


def uninstall(root: Path, name: str, version: str) -> None:
    """Remove the version; one that is not there is removed already."""
    raise NotImplementedError


def verify_installed(directory: Path) -> tuple[str, ...]:
    """Return what differs from the receipt."""
    raise NotImplementedError


def sweep(root: Path) -> None:
    """Remove what jobs that are dead have left."""
    raise NotImplementedError
