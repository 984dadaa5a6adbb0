"""Hosts with OPMAS and the test agents, one for the tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    """OPMAS on a host of the file's own; tests make agents of their own on it."""
    add_test_agents(shared_host)
    return Opmas(shared_host)


@pytest.fixture
def own_opmas(installed_host: Host) -> Opmas:
    """OPMAS on a host of the test's own, which may be broken."""
    add_test_agents(installed_host)
    return Opmas(installed_host)
