"""What a bundle is and who vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.bundles.trust import TrustStore


def inspect_bundle(path: Path, trust: TrustStore) -> dict[str, Any]:
    """Return name, version, files, key and verdict."""
    raise NotImplementedError
