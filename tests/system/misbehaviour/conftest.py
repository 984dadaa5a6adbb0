"""A host on which the whole corpus misbehaves, one for the tests of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.manager.opmas import add_test_agents
from tests.system.misbehaviour.corpus import CORPUS
from tests.system.misbehaviour.stage import Stage

if TYPE_CHECKING:
    from tests.lab import Host


@pytest.fixture(scope="module")
def stage(shared_host: Host) -> Stage:
    add_test_agents(shared_host)
    stage = Stage(shared_host)
    stage.supply(CORPUS)
    return stage
