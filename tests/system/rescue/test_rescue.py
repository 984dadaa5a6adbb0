"""A manager that does not come up hands over to the rescue, which sees to the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import Host, wait_for
from tests.system.install import create_agent, install
from tests.system.rescue.stage import AGENT, MANAGER, RESCUE, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = "systemd-notify --ready"
# TimeoutAbortSec=: a stopped process does not die of SIGABRT
HANGS = ("WatchdogSec=1", "TimeoutAbortSec=1", "TimeoutStopSec=1")
FAULTS = {
    "exits at once": ("ExecStart=/bin/false",),
    "crashes after two seconds": (f"ExecStart=/bin/sh -c '{READY}; sleep 2; kill -SEGV $$$$'",),
    "hangs": (*HANGS, f"ExecStart=/bin/sh -c '{READY}; kill -STOP $$$$'"),
}
DEAF = f"ExecStart=/bin/sh -c \"trap '' TERM; {READY}; while :; do sleep 1; done\""
SETTINGS = "/etc/opmas/opmas.yaml"
WELL = 100.0  # seconds until an agent is in the last-known-good set
MENDED = 90.0  # the rescue looks every 5 s for what was mended, and after a minute at the latest


@pytest.fixture(scope="module")
def stage(debs: Path) -> Iterator[Stage]:
    """A host whose agent has done well for a while."""
    with Host.up("rescue") as host:
        install(host, debs)
        create_agent(host)
        found = ("grep", "-q", '"hostwatch"', "/var/lib/opmas/last-good.json")
        wait_for(
            lambda: host.run(*found, check=False).returncode == 0, WELL, "the last-known-good set",
            delay=1,
        )  # fmt: skip
        yield Stage(host)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_boot_without_a_manager_the_agents_run_and_the_manager_is_back_when_mended(
    stage: Stage, fault: str
) -> None:
    stage.break_manager(*FAULTS[fault])
    stage.power_cycle()

    stage.wait_active(AGENT)
    said = stage.status()
    journal = stage.journal(RESCUE)
    run = stage.run_of(AGENT)
    stage.mend_manager()
    stage.wait_active(MANAGER, MENDED)
    wait_for(lambda: not stage.is_active(RESCUE), MENDED, "the end of the rescue", delay=1)

    assert "opmas-rescue" in said
    assert "started hostwatch" in said
    assert f"starting {AGENT}" in journal
    assert stage.run_of(AGENT) == run
    (rescued,) = stage.events("opmas.manager.rescued")[-1:]
    assert rescued["data"]["started"] == [AGENT]


def test_a_boot_with_a_wrong_opmas_yaml_is_rescued_and_the_next_edit_ends_it(stage: Stage) -> None:
    before = stage.host.run("cat", SETTINGS).stdout
    stage.host.run("tee", SETTINGS, input="manager: [\n")
    stage.power_cycle()

    stage.wait_active(AGENT)
    said = stage.status()
    run = stage.run_of(AGENT)
    stage.host.run("tee", SETTINGS, input=before)
    stage.wait_active(MANAGER, 30.0)

    assert "it refuses its settings" in said
    assert stage.run_of(AGENT) == run


def test_a_stop_by_hand_is_no_failure_even_of_a_manager_that_has_to_be_killed(
    stage: Stage,
) -> None:
    stage.break_manager("TimeoutStopSec=1", DEAF)
    stage.host.run("systemctl", "restart", MANAGER)

    stage.host.run("systemctl", "stop", MANAGER)
    wait_for(lambda: "was stopped" in stage.journal(RESCUE), 10.0, "the rescue looked")
    wait_for(lambda: not stage.is_active(RESCUE), 10.0, "the end of the rescue")
    ended = stage.show(MANAGER, "ActiveState"), stage.show(MANAGER, "Result")
    stage.mend_manager()
    stage.host.run("systemctl", "start", MANAGER)

    assert ended == ("failed", "timeout")


def test_restarts_by_hand_are_no_crash_loop_however_many(stage: Stage) -> None:
    for _ in range(8):
        stage.host.run("systemctl", "restart", MANAGER)

    assert stage.is_active(MANAGER)
    assert not stage.is_active(RESCUE)


def test_an_agent_that_was_stopped_stays_stopped_and_one_that_runs_is_left_alone(
    stage: Stage,
) -> None:
    stage.host.run("opmas", "agent", "create", "other", "--package", "hostwatch", "--grant-all")
    run = stage.run_of(AGENT)
    stage.host.run("systemctl", "stop", "opmas-agent@other")
    stage.break_manager(*FAULTS["exits at once"])

    stage.host.run("systemctl", "restart", MANAGER, check=False)
    wait_for(
        lambda: "no agent has to be started" in stage.journal(RESCUE), 60.0, "the rescue looked",
        delay=0.5,
    )  # fmt: skip
    other = stage.show("opmas-agent@other", "ActiveState")
    stage.mend_manager()
    stage.wait_active(MANAGER, MENDED)

    assert other == "inactive"
    assert stage.run_of(AGENT) == run
