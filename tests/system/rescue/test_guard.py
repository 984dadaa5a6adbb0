"""An upgrade of the manager that does not get healthy is undone, and a good one leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opmas.version import VERSION
from tests.lab import Host, wait_for
from tests.system.install import APT, NAMES, create_agent, install
from tests.system.rescue import broken
from tests.system.rescue.stage import AGENT, MANAGER, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from tests.system.install import build

NEXT = f"{VERSION}+1"
GUARD = "/var/lib/opmas/guard"
RESULT = f"{GUARD}/result.json"
PIN = "/etc/apt/preferences.d/opmas-undone"
UNDONE_WITHIN = 150.0
PROVED_WITHIN = 150.0


@pytest.fixture(scope="module")
def next_debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("next")
    build("--version", NEXT, "--output", str(directory))
    return directory


@pytest.fixture(scope="module")
def stage(debs: Path) -> Iterator[Stage]:
    with Host.up("guard") as host:
        install(host, debs)
        create_agent(host)
        yield Stage(host)


def versions(host: Host) -> set[tuple[str, str]]:
    query = "${Version} ${db:Status-Abbrev}\\n"
    rows = host.run("dpkg-query", "-W", "-f", query, *NAMES).stdout.splitlines()
    return {(row.split()[0], row.split()[1]) for row in rows}


def upgrade(host: Host, debs: Path) -> None:
    """Install with apt, whatever comes of it."""
    host.copy_in(debs, "/root/debs")
    host.run("sh", "-c", f"{' '.join(APT)} install /root/debs/*.deb", check=False, timeout=300)
    host.run("rm", "-r", "/root/debs")


def result(stage: Stage) -> dict[str, Any]:
    return wait_for(lambda: stage.read(RESULT), UNDONE_WITHIN, "the end of the guard", delay=1)


@pytest.mark.parametrize("kind", broken.KINDS)
def test_a_version_that_does_not_get_healthy_is_undone_and_no_agent_restarts(
    stage: Stage, next_debs: Path, tmp_path: Path, kind: str
) -> None:
    host = stage.host
    host.run("rm", "-f", RESULT, f"{GUARD}/undone.json", PIN)
    bad = broken.make(next_debs, tmp_path, kind)
    run = stage.run_of(AGENT)

    upgrade(host, bad)
    undone = result(stage)
    wait_for(lambda: "upgrade-reverted" in stage.status(), 60.0, "it is told", delay=1)
    told = stage.events("opmas.manager.upgrade-reverted")[-1]

    assert (undone["outcome"], undone["from"], undone["to"]) == ("reverted", NEXT, VERSION)
    assert versions(host) == {(VERSION, "ii")}
    assert host.run("dpkg", "--audit").stdout == ""
    assert stage.run_of(AGENT) == run
    assert (told["data"]["from"], told["data"]["to"]) == (NEXT, VERSION)
    assert (
        host.run("sh", "-c", "ls -d /usr/lib/opmas/[0-9]*").stdout == f"/usr/lib/opmas/{VERSION}\n"
    )
    assert f"Pin: version {NEXT}" in host.run("cat", PIN).stdout


def test_a_power_cut_in_the_middle_of_a_bad_upgrade_ends_at_the_version_before(
    stage: Stage, next_debs: Path, tmp_path: Path
) -> None:
    host = stage.host
    host.run("rm", "-f", RESULT, f"{GUARD}/undone.json", PIN)
    host.copy_in(broken.make(next_debs, tmp_path, "exits"), "/root/debs")

    with host.popen("sh", "-c", f"{' '.join(APT)} install /root/debs/*.deb") as installing:
        wait_for(lambda: NEXT in dict(versions(host)), 60.0, "the first package is unpacked")
        host.kill()
        installing.communicate()
    host.boot()
    undone = result(stage)

    assert undone["outcome"] == "reverted"
    assert versions(host) == {(VERSION, "ii")}
    assert host.run("dpkg", "--audit").stdout == ""
    stage.wait_active(AGENT)
    stage.wait_active(MANAGER)
    host.run("rm", "-r", "/root/debs")


def test_a_good_upgrade_leaves_no_guard_behind_and_a_downgrade_by_hand_is_not_undone(
    stage: Stage, debs: Path, next_debs: Path
) -> None:
    host = stage.host
    run = stage.run_of(AGENT)

    host.run("rm", "-f", PIN)
    install(host, next_debs)
    watched = stage.is_active("opmas-guard.service")
    wait_for(
        lambda: host.run("test", "!", "-e", GUARD, check=False).returncode == 0, PROVED_WITHIN,
        "the guard is gone", delay=1,
    )  # fmt: skip
    left = host.run(
        "sh", "-c", f"ls -d {PIN} /etc/systemd/system/*guard* 2>/dev/null", check=False
    )
    good = versions(host)
    host.copy_in(debs, "/root/debs")
    files = " ".join(f"/root/debs/{name}_{VERSION}_all.deb" for name in NAMES)
    host.run("sh", "-c", f"dpkg --force-confold --install {files}", timeout=120)
    guarded = host.run("test", "-e", GUARD, check=False).returncode == 0

    assert watched
    assert good == {(NEXT, "ii")}
    assert left.stdout == ""
    assert not guarded
    assert versions(host) == {(VERSION, "ii")}
    assert stage.is_active(MANAGER)
    assert stage.run_of(AGENT) == run
