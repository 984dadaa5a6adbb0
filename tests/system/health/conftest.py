"""A host with the agents of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    """OPMAS on a host of the file's own, which does not know how crowded the machine is: an agent
    is not started again for a check that fails while everything waits for a CPU.
    """
    drop_in = shared_host.root / "etc/systemd/system/opmas-manager.service.d/quiet.conf"
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nInaccessiblePaths=/proc/pressure\n")
    shared_host.run("systemctl", "daemon-reload")
    add_test_agents(shared_host)
    return Opmas(shared_host)
