"""A host on which agents are updated, one for the tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.updates.ground import Ground

if TYPE_CHECKING:
    from tests.lab import Host


@pytest.fixture(scope="module")
def ground(shared_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    ground = Ground(shared_host, tmp_path_factory.mktemp("updates"))
    ground.feign_pressure()
    return ground
