"""The worlds that a contract is held against."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.contract.managers import call, fake, folder, loop, real
from tests.contract.worlds import FakeWorld, HostWorld, World
from tests.system.systemd.units_host import units_host

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["call", "fake", "folder", "loop", "real"]  # fixtures of the managers

_numbers = count(1)


@pytest.fixture(scope="session")
def real_world() -> Iterator[HostWorld]:
    with units_host("contract") as host:
        yield HostWorld(host)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest) -> World:
    return FakeWorld() if request.param == "fake" else request.getfixturevalue("real_world")


@pytest.fixture
def agent() -> str:
    """The name of an agent that no test has used before."""
    return f"agent-{next(_numbers)}"
