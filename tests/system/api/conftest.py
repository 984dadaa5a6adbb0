"""OPMAS with its REST API on a host of the file's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.system.api.rest import Rest
from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    add_test_agents(shared_host)
    found = Opmas(shared_host)
    found.up()
    return found


@pytest.fixture(scope="module")
def rest(opmas: Opmas) -> Rest:
    made = json.loads(opmas.run("token", "create", "--name", "tests", "--json").stdout)
    return Rest(opmas.host, made["token"])
