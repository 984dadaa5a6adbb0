"""Hosts on which agents are changed while parts of OPMAS are killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.changes.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab import Host


@pytest.fixture
def site(installed_host: Host, tmp_path: Path) -> Site:
    """A host of the test's own that trusts the bundles of the tests."""
    site = Site(installed_host)
    site.trust(tmp_path / "keys")
    site.restart_at_once()
    return site
