"""The systemd that authors test with hears what systemd hears: the same tests on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.notified import SOON, AuthorsSide, Notified, SystemdSide
from tests.lab import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.worlds import HostWorld

END = "STATUS=the end"


@pytest.fixture
def authors_side(folder: Path) -> Iterator[AuthorsSide]:
    with AuthorsSide(folder) as side:
        yield side


@pytest.fixture
def systemd_side(real_world: HostWorld) -> Iterator[SystemdSide]:
    with SystemdSide(real_world.host) as side:
        yield side


@pytest.fixture(params=["authors_side", pytest.param("systemd_side", marks=pytest.mark.system)])
def notified(request: pytest.FixtureRequest) -> Notified:
    found: Notified = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(
    ("messages", "state"),
    [
        ([], "activating"),
        (["READY=1"], "active"),
        (["READY=1\nSTATUS=well"], "active"),
        (["READY=1\n"], "active"),
        (["READY=0"], "activating"),
        (["READY=1", "RELOADING=1\nMONOTONIC_USEC=NOW"], "reloading"),
        (["READY=1", "RELOADING=1\nMONOTONIC_USEC=NOW", "READY=1"], "active"),
        (["READY=1", "STOPPING=1"], "deactivating"),
        (["READY=1", "X_UNKNOWN=1"], "active"),
        ([">READY=1"], "activating"),
        (["READY=1", ">STOPPING=1"], "active"),
        (["READY=1\nX_LONG=" + "x" * 5000], "activating"),
    ],
    ids=lambda value: "+".join(value)[:50] if isinstance(value, list) else value,
)
def test_a_message_makes_the_state(notified, messages, state):
    notified.run(*messages, END)

    wait_for(lambda: notified.status() == "the end", SOON, "all was heard")

    assert notified.state() == state


def test_a_service_that_does_not_feed_its_watchdog_is_ended(notified):
    notified.run("READY=1", watchdog=0.5)

    assert notified.end() == "watchdog"


def test_a_service_may_have_its_watchdog_act(notified):
    notified.run("READY=1", "WATCHDOG=trigger", watchdog=30)

    assert notified.end() == "watchdog"


def test_the_period_of_the_watchdog_may_be_changed(notified):
    notified.run("READY=1\nWATCHDOG_USEC=500000", watchdog=30)

    assert notified.end() == "watchdog"
