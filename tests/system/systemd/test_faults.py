"""What may happen to the bridge, to D-Bus and to PID 1 while the manager looks at agents."""

from __future__ import annotations

import signal
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from opmas.core.agent.terms import unit_name
from opmas.errors import SystemdError
from opmas.ports import Disconnected, Resynced
from opmas.systemd.client import Patience
from tests.loop import in_loop
from tests.system.systemd.units_host import UnitsHost, units_host
from tests.system.systemd.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT: Final = Patience(call_timeout=2.0, stuck_after=4.0, ping_every=0.5)
NOT_PRIVATE: Final = "/run/opmas-test/private"

_numbers = count(1)


@pytest.fixture(scope="module")
def host() -> Iterator[UnitsHost]:
    with units_host("faults") as host:
        yield host


@pytest.fixture
def agent() -> str:
    return f"agent-{next(_numbers)}"


@in_loop
async def test_a_killed_bridge_is_replaced_and_what_it_missed_is_known(
    host: UnitsHost, agent: str
) -> None:
    async with host.units() as units, Watch(units) as watch:
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        host.sh(f"kill -KILL {host.bridge_pid()}; systemctl kill -s KILL {unit_name(agent)}")
        await watch.until(lambda: watch.of(Disconnected))
        await watch.until_resynced(2)
        await units.resync()
        await watch.until(lambda: _restarts(watch, agent) == 1)
        await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    assert watch.of(Disconnected)[0].reason.startswith("the bridge is gone")


@in_loop
async def test_a_frozen_bridge_fails_calls_in_time_and_is_replaced(
    host: UnitsHost, agent: str
) -> None:
    async with host.units(patience=SHORT) as units, Watch(units) as watch:
        await watch.until_resynced()

        host.sh(f"kill -STOP {host.bridge_pid()}")
        with pytest.raises(SystemdError, match="no answer") as failure:
            await units.start(unit_name(agent))
        await watch.until_resynced(2)
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

    assert failure.value.reason == "timeout"
    assert len(watch.of(Disconnected)) == 1


@in_loop
async def test_a_bridge_that_cannot_be_started_is_tried_again(host: UnitsHost, agent: str) -> None:
    host.sh("mv /opt/opmas/opmas/systemd/bridge.py /opt/opmas/")
    async with host.units(patience=SHORT) as units, Watch(units) as watch:
        with pytest.raises(SystemdError) as failure:
            await units.start(unit_name(agent))
        await watch.until(lambda: len(watch.of(Disconnected)) >= 2)

        host.sh("mv /opt/opmas/bridge.py /opt/opmas/opmas/systemd/")
        await watch.until_resynced()

    assert failure.value.reason == "unavailable"


@in_loop
async def test_a_restarted_dbus_daemon_is_not_noticed(host: UnitsHost, agent: str) -> None:
    async with host.units() as units, Watch(units) as watch:
        await watch.until_resynced()

        host.sh("systemctl kill -s KILL dbus.service; systemctl restart dbus.service")
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

    assert watch.of(Disconnected) == []


@in_loop
async def test_without_the_private_socket_the_bus_serves_until_it_is_back(
    host: UnitsHost, agent: str
) -> None:
    async with host.units(NOT_PRIVATE) as units, Watch(units) as watch:
        first = await watch.until_resynced()
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")
        host.systemctl("kill", agent, "--signal=KILL")
        await watch.until_told(agent, "failed", "auto-restart")
        await watch.until_told(agent, "active", "failed")

        host.sh('mkdir -p "$(dirname "$1")"; ln -s /run/systemd/private "$1"', NOT_PRIVATE)
        await watch.until(lambda: watch.of(Resynced)[-1].connection == "private")
        await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    host.sh(f"rm {NOT_PRIVATE}")
    assert first.connection == "bus"
    assert watch.jobs(agent)[-1][1] == "done"


@pytest.mark.parametrize(
    "fault",
    ["systemctl kill -s KILL dbus.service", "systemctl restart dbus.service"],
    ids=["killed", "restarted"],
)
@in_loop
async def test_on_the_bus_a_new_dbus_daemon_is_found(
    host: UnitsHost, agent: str, fault: str
) -> None:
    async with host.units(NOT_PRIVATE) as units, Watch(units) as watch:
        await watch.until_resynced()

        host.sh(fault)
        await watch.until(lambda: watch.of(Disconnected))
        await watch.until_resynced(2)
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")
        host.systemctl("kill", agent, "--signal=KILL")
        await watch.until_told(agent, "failed", "auto-restart")

    assert {resynced.connection for resynced in watch.of(Resynced)} == {"bus"}


@in_loop
async def test_a_storm_of_reloads_loses_no_edge(host: UnitsHost, agent: str) -> None:
    async with host.units() as units, Watch(units) as watch:
        await units.start(unit_name(agent))
        await watch.until_told(agent, "active")

        host.sh(
            "for i in 1 2 3 4 5 6; do systemctl daemon-reload; done &"
            f"systemctl kill -s KILL {unit_name(agent)}; wait; systemctl is-active dbus"
        )
        await watch.until_told(agent, "failed", "auto-restart")
        # Not by NRestarts: systemd 252 may count one restart twice when a reload falls into it.
        await watch.until_told(agent, "auto-restart*", "inactive*", "activating*", "active*")
        await watch.until_resynced(2)
        await units.stop(unit_name(agent))
        await watch.until_told(agent, "gone")

    crash = next(state for state in watch.states(agent) if state.active_state == "failed")
    assert crash.exec_main_status == signal.SIGKILL
    assert len(watch.of(Resynced)) <= 1 + 6
    assert watch.of(Disconnected) == []


def _restarts(watch: Watch, agent: str) -> int:
    states = {state.unit: state for state in watch.of(Resynced)[-1].states}
    told = [state.n_restarts for state in watch.states(agent)]
    return max([states[unit_name(agent)].n_restarts, *told])
