"""The power is cut while agents run, are updated, are installed; then the machine boots again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.system.changes.packages import make_version
from tests.vm.agentset import MOVES, NEW, OLD, is_right, serves
from tests.vm.site import WATCH_CHANGES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vm.site import Site

UPDATE: Final = ("opmas", "agent", "update", MOVES, "--version", NEW, "--window", "2")


def test_what_was_flushed_survives_a_power_cut_and_what_was_not_does_not(site: Site):
    # so seldom that the kernel does not do it by itself meanwhile
    site.machine.run("mount", "-o", "remount,commit=600", "/")
    site.machine.run("dd", "if=/dev/zero", "of=/root/flushed", "count=8", "conv=fsync")
    site.machine.run("dd", "if=/dev/zero", "of=/root/kept-in-memory", "count=8")

    site.machine.power_cut()
    site.machine.power_on()

    found = site.machine.run("sh", "-c", "find /root -size 8b -name 'flushed' -o -name 'kept*'")
    assert found.stdout.split() == ["/root/flushed"]
    is_right(site)


@pytest.mark.parametrize(
    "step",
    ["planned", "snapshot doing", "migrate doing", "migrate done", "watch doing"],
)
def test_an_update_that_the_power_was_cut_in_ends_in_either_version(site: Site, step: str):
    site.machine.power_cut_at(step, WATCH_CHANGES, *UPDATE)

    site.machine.power_on()

    change = site.last_change()
    kept = change["state"] == "committed"
    assert kept or (change["state"], change["reason"]) == ("reverted", "interrupted"), change
    serves(site, NEW if kept else OLD)
    assert site.data(MOVES).get("ledger", "") == (f"{OLD}>{NEW}" if kept else "")
    is_right(site)


def test_an_installation_that_the_power_was_cut_in_is_done_after_the_boot(
    site: Site, tmp_path: Path
):
    made = make_version(tmp_path, "crate", OLD)
    bundle = site.bring(made, f"/root/{made.name}")
    site.machine.run("sync")
    site.machine.power_cut_at(
        "install doing", WATCH_CHANGES, "opmas", "package", "install", bundle
    )

    site.machine.power_on()

    assert site.last_change()["state"] == "committed"
    is_right(site)
    assert site.packages()["crate"] == [OLD]
    assert site.opmas("agent", "create", "crate", "--window", "0")
    site.wait_agent("crate", lambda view: view["phase"] == "running", "runs")
