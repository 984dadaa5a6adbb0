"""Builds the Debian package that carries a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def build_deb(bundle: Path, output_dir: Path) -> Path:
    """Return the Debian package opmas-agent-NAME that carries the bundle."""
    raise NotImplementedError
