"""Builds a bundle from a package's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.bundles.minisign import SecretKey


def check_directory(directory: Path) -> tuple[str, ...]:
    """Return what is wrong with the package in the directory."""
    raise NotImplementedError


def build_bundle(
    directory: Path,
    output_dir: Path,
    *,
    secret_key: SecretKey | None,
    wheels: Path | None = None,
    fetch: bool = False,
) -> Path:
    """Return the bundle of the package in the directory."""
    raise NotImplementedError
