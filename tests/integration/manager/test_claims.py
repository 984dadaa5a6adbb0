"""What a change under way claims: the version that it wants stays, those of others may go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.integration.manager.stories import runs
from tests.loop import in_loop


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


async def moves(place: Place) -> None:
    """Have an agent of the package snore on its way to 2.0.0, beside 2.0.0 of another package."""
    stock.install(place.packages, "2.0.0", name="doze")
    await runs("1.0.0", "2.0.0")(place)
    await place.call("agent.update", name="web", version="2.0.0", window=60)


async def remove(place: Place, name: str) -> dict[str, Any]:
    found = await place.call("package.remove", name=name, version="2.0.0", wait=10)
    change: dict[str, Any] = found["change"]
    return change


@in_loop
async def test_a_version_that_a_change_wants_is_not_removed(place):
    async with place:
        await moves(place)

        change = await remove(place, "snore")

        assert (change["state"], change["reason"]) == ("refused", "invalid-request")


@in_loop
async def test_the_same_version_of_another_package_is_removed(place):
    async with place:
        await moves(place)

        change = await remove(place, "doze")

        assert change["state"] == "committed"
