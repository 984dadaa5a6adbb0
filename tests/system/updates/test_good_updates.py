"""Updates to good versions: how long nobody serves, and what is wrong elsewhere undoes none."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.updates import outside_faults
from tests.system.updates.outside_faults import FAULTS, OVERLOADED, OutsideFault
from tests.system.updates.packages import GOOD, NEXT
from tests.system.updates.story import quantile, story

if TYPE_CHECKING:
    from tests.system.updates.ground import Ground

UPDATES = 20
DOWNTIME = 2.0  # seconds, p95
CROWDED = 95.0  # percent of the time in which some process waits for a CPU


@pytest.fixture(scope="module")
def changes(ground: Ground) -> dict[str, Future[dict[str, Any]]]:
    """The updates with faults from outside, side by side; by the fault's name."""
    outside_faults.prepare(ground)
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        return {f.name: pool.submit(outside_faults.update, ground, f) for f in FAULTS}


def test_nobody_waits_long_for_an_agent_that_is_updated(
    ground: Ground, capsys: pytest.CaptureFixture[str]
):
    ground.supply("steady")
    ground.supply("steady", NEXT)
    ground.create("steady")
    begin = ground.last_event()

    versions = [NEXT, GOOD] * (UPDATES // 2)
    done = [updated(ground, "steady", version) for version in versions]

    events = ground.log(begin)
    times = [story(change, events).downtime for change in done]
    with capsys.disabled():
        print(
            f"\ndowntime of {len(times)} good updates: median {quantile(times, 0.5):.2f} s,"
            f" p95 {quantile(times, 0.95):.2f} s, most {max(times):.2f} s"
        )
    assert {change["state"] for change in done} == {"committed"}
    assert quantile(times, 0.95) <= DOWNTIME


def updated(ground: Ground, name: str, version: str) -> dict[str, Any]:
    """Update the agent, and wait until it serves; the change."""
    change = ground.ended(ground.update(name, version=version, window=0))
    ground.serving(name, version)
    return change


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_what_goes_wrong_outside_undoes_no_good_update(
    ground: Ground, changes: dict[str, Future[dict[str, Any]]], fault: OutsideFault
):
    change = changes[fault.name].result()

    assert (change["state"], change["reason"] in fault.reasons) == ("committed", True), change
    assert ground.show(fault.name)["version"] == NEXT


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_the_agent_serves_when_the_fault_is_over(
    ground: Ground, changes: dict[str, Future[dict[str, Any]]], name: str
):
    changes[name].result()

    ground.serving(name, NEXT)


def test_an_overloaded_host_undoes_no_good_update(
    ground: Ground, changes: dict[str, Future[dict[str, Any]]]
):
    ground.feign_pressure(cpu=CROWDED)

    change = outside_faults.update(ground, OVERLOADED)

    ground.feign_pressure()
    assert (change["state"], change["reason"]) == ("committed", "host-overloaded")
