"""Processes that OPMAS depends on are killed or hang: no agent notices, and all comes right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import wait_for
from tests.system.faults.conftest import HEALTH

if TYPE_CHECKING:
    from tests.system.faults.conftest import Scene

SERVICES = ["opmas-manager", "opmas-api", "systemd-journald", "dbus"]


@pytest.mark.parametrize("unit", SERVICES)
def test_a_killed_process_is_back_and_no_agent_is_touched(scene: Scene, unit: str):
    before = scene.started(unit)

    scene.signal(unit, "KILL")
    start_by_hand(scene, unit)
    wait_for(lambda: scene.main_pid(unit) not in {"0", before}, 30, f"a new {unit}")

    assert scene.no_agent_was_touched()
    assert scene.all_is_well()


def test_a_hung_manager_is_killed_by_its_watchdog(scene: Scene):
    scene.signal("opmas-manager", "STOP")
    wait_for(
        lambda: scene.main_pid("opmas-manager") not in {"0", scene.manager}, 60, "a new manager"
    )

    assert scene.no_agent_was_touched()
    assert scene.all_is_well()


def test_a_hung_bridge_is_killed_by_the_manager(scene: Scene):
    bridge = scene.host.run("pgrep", "-f", "opmas.systemd.bridge").stdout.split()[0]

    scene.host.run("kill", "-STOP", bridge)
    wait_for(
        lambda: scene.host.run("kill", "-0", bridge, check=False).returncode != 0,
        90, "the hung bridge is gone",
    )  # fmt: skip

    assert scene.main_pid("opmas-manager") == scene.manager
    assert scene.no_agent_was_touched()
    assert scene.all_is_well()


def test_a_hung_worker_of_the_api_is_replaced(scene: Scene):
    pids = scene.host.run("pgrep", "-P", scene.started("opmas-api")).stdout.split()

    scene.host.run("kill", "-STOP", *pids)
    wait_for(
        lambda: scene.host.run(*HEALTH, check=False).returncode == 0, 60, "the API answers", 0.5
    )

    assert scene.no_agent_was_touched()
    assert scene.all_is_well()


def test_an_api_that_hangs_as_a_whole_is_killed_by_its_watchdog(scene: Scene):
    arbiter = scene.started("opmas-api")
    workers = scene.host.run("pgrep", "-P", arbiter).stdout.split()

    scene.host.run("kill", "-STOP", arbiter, *workers)
    wait_for(
        lambda: scene.host.run(*HEALTH, check=False).returncode == 0, 90, "the API answers", 0.5
    )

    assert scene.main_pid("opmas-api") != arbiter
    assert scene.no_agent_was_touched()
    assert scene.all_is_well()


@pytest.mark.parametrize("unit", ["systemd-journald", "dbus"])
def test_a_process_of_the_host_that_hangs_stops_neither_agents_nor_manager(
    scene: Scene, unit: str
):
    scene.signal(unit, "STOP")
    try:
        answered = scene.opmas.status()["agents"]["phases"]
        scene.opmas.call("agent.stop", name="idle", wait=20)
        scene.opmas.call("agent.start", name="idle", wait=20)
        running = scene.opmas.show("idle")["phase"]
    finally:
        scene.signal(unit, "CONT")

    assert answered["running"] == len(scene.pids)
    assert running == "running"
    assert scene.main_pid("opmas-manager") == scene.manager
    kept = scene.opmas.main_pids("watch", "program")
    assert kept == {name: scene.pids[name] for name in kept}
    assert scene.all_is_well()


@pytest.mark.parametrize(("verb", "times"), [("daemon-reload", 30), ("daemon-reexec", 10)])
def test_a_storm_of_reloads_loses_no_event(scene: Scene, verb: str, times: int):
    scene.host.run("sh", "-ec", f"for n in $(seq {times}); do systemctl {verb}; done", timeout=120)

    assert scene.main_pid("opmas-manager") == scene.manager
    assert scene.no_agent_was_touched()
    assert scene.all_is_well()


def test_a_crash_during_a_storm_of_reloads_is_told(scene: Scene):
    opmas, pid = scene.opmas, scene.opmas.show("program")["main_pid"]

    storm = "for n in $(seq 20); do systemctl daemon-reload; done"
    with scene.host.popen("sh", "-c", storm) as reloading:
        opmas.systemctl("kill", "-s", "KILL", "opmas-agent@program")
        opmas.wait_event(
            scene.last_event, type="opmas.agent.exited", subject="agent/program", main_pid=pid
        )
        reloading.communicate(timeout=120)

    opmas.wait_new_pid("program", pid)
    assert scene.all_is_well()


def start_by_hand(scene: Scene, unit: str) -> None:
    """Start what systemd does not start again by itself: Debian's dbus-daemon."""
    if unit == "dbus":
        scene.opmas.systemctl("reset-failed", unit, check=False)
        scene.opmas.systemctl("start", unit)
