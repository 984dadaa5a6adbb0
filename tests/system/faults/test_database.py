"""The database is damaged, gone, locked or read-only: agents run on, and it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import wait_for

if TYPE_CHECKING:
    from tests.system.faults.conftest import Scene

STATE = "/var/lib/opmas"
DATABASE = f"{STATE}/manager.db"
DAMAGES = {
    "overwritten at its head": f"head -c 4096 /dev/urandom | dd of={DATABASE} conv=notrunc",
    "overwritten in the middle": (
        f"head -c 20000 /dev/urandom | dd of={DATABASE} conv=notrunc bs=4096 seek=2"
    ),
    "cut short": f"truncate -s 10000 {DATABASE}",
    "empty": f"truncate -s 0 {DATABASE}",
    "gone": f"rm {DATABASE}",
    "gone, with its backups": f"rm -rf {DATABASE} {STATE}/backups",
    "another program's": f"head -c 50000 /bin/true > {DATABASE}",
}
LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_costs_no_agent_and_comes_right(scene: Scene, damage: str):
    opmas = scene.opmas
    opmas.call("agent.put", name="idle", package="minimal", limits={"tasks_max": 41}, window=0)
    opmas.systemctl("stop", "opmas-manager")

    scene.host.run("sh", "-ec", f"rm -f {DATABASE}-wal {DATABASE}-shm; {damage}")
    opmas.systemctl("start", "opmas-manager")
    opmas.up()

    assert scene.no_agent_was_touched()
    assert opmas.show("idle")["limits"]["tasks_max"] == 41
    assert scene.all_is_well(120)
    assert opmas.last_event() > scene.last_event, "no number is given twice"


def test_a_database_that_somebody_locks_stops_nothing(scene: Scene):
    opmas = scene.opmas
    pid = opmas.show("program")["main_pid"]

    with scene.host.popen("python3", "-c", LOCK, DATABASE) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        opmas.systemctl("kill", "-s", "KILL", "opmas-agent@program")
        opmas.wait_new_pid("program", pid)
        codes = {p["code"] for p in opmas.status()["problems"]}
        locker.communicate("\n", timeout=30)

    assert codes == {"database-unavailable"}
    opmas.wait_event(
        scene.last_event, type="opmas.agent.exited", subject="agent/program", main_pid=pid
    )
    assert scene.all_is_well()


def test_a_read_only_state_directory_stops_no_agent_and_no_manager(scene: Scene):
    opmas = scene.opmas
    pid = opmas.show("program")["main_pid"]
    on_a_disk_of_its_own(scene)

    scene.host.run("mount", "-o", "remount,ro", STATE)
    opmas.systemctl("start", "opmas-manager")
    opmas.up()
    try:
        opmas.systemctl("kill", "-s", "KILL", "opmas-agent@program")
        opmas.wait_new_pid("program", pid)
        refused = opmas.run("agent", "create", "late", "--package", "minimal", check=False)
        status = opmas.status()
    finally:
        scene.host.run("mount", "-o", "remount,rw", STATE)
    # systemd mounted it for the manager as it was at its start
    opmas.systemctl("restart", "opmas-manager")
    opmas.up()
    wait_for(lambda: opmas.status()["state"] == "ok", 30, "the problem is over")

    assert status["agents"]["total"] == len(scene.pids)
    assert [p["code"] for p in status["problems"]] == ["database-unavailable"]
    assert refused.returncode != 0
    kept = opmas.main_pids("watch", "idle")
    assert kept == {name: scene.pids[name] for name in kept}
    assert scene.all_is_well()


def on_a_disk_of_its_own(scene: Scene) -> None:
    """Stop the manager and put its state directory on a file system that can be remounted."""
    move = (
        "systemctl stop opmas-manager",
        f"cp -a {STATE} /root/state",
        f"mount -t tmpfs -o size=64m,mode=700 tmpfs {STATE}",
        f"cp -a /root/state/. {STATE}/",
        "rm -r /root/state",
    )
    scene.host.run("sh", "-ec", "; ".join(move))
