"""A host whose agents are looked at each second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host

SETTINGS = """
usage: {interval: 1}
limits: {max_memory_max: 96M, max_tasks_max: 48, tasks_max: 24}
"""


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    """OPMAS on a host of the file's own, with ceilings."""
    add_test_agents(shared_host)
    settings = shared_host.root / "etc/opmas/opmas.yaml"
    settings.write_text(settings.read_text() + SETTINGS)
    shared_host.run("systemctl", "restart", "opmas-manager")
    return Opmas(shared_host)
