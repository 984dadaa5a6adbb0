"""The manager is killed at every step that a change saves: each ends, and nothing is lost.

Which steps there are is read from the journal of an undisturbed change of each kind. Several
agents are changed at once, so that each kill also meets the others somewhere on their way.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tests.lab import wait_for
from tests.system.changes.blows import Killer
from tests.system.changes.lanes import Lane, Operation
from tests.system.changes.packages import ENDS, HALF, MIGRATES, make_version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.changes.site import Site

OLD: Final = "1.0.0"
NEW: Final = "2.0.0"
WINDOW: Final = 2  # seconds
BYSTANDERS: Final = ("bystander", "other")


def test_a_manager_killed_at_any_step_of_any_change_ends_it_and_loses_nothing(
    site: Site, tmp_path: Path
) -> None:
    lanes = (
        moves(site, tmp_path),
        undone(site, tmp_path, "halfway", HALF, "migrate failed"),
        undone(site, tmp_path, "ending", ENDS, "reverting"),
        comes_and_goes(site, tmp_path),
        is_installed_and_removed(site, tmp_path),
    )
    for name in BYSTANDERS:
        begin(site, tmp_path, name)
    before, first = site.agent_processes(BYSTANDERS), site.last_event()
    known = {change["id"] for change in site.changes()}

    with Killer(site.host) as killer, ThreadPoolExecutor(len(lanes)) as pool:
        try:
            list(pool.map(lambda lane: lane.learn(killer), lanes))
            list(pool.map(lambda lane: lane.sweep(killer), lanes))
        finally:
            print(f"{killer.kills} kills", *lanes, sep="\n")

    assert [lane.missed for lane in lanes] == [[] for _ in lanes]
    assert all(before.values())
    assert site.agent_processes(BYSTANDERS) == before
    asked = {number for lane in lanes for number in lane.changes}
    assert {change["id"] for change in site.changes()} - known == asked
    site.is_tidy()
    site.log(first)
    versions = {name: [OLD] for name in BYSTANDERS}
    both = {"moves": [OLD, NEW], "halfway": [OLD, NEW], "ending": [OLD, NEW]}
    assert {k: v for k, v in site.versions().items() if k != "crate"} == {
        **versions, **both, "guest": [OLD],
    }  # fmt: skip


def begin(site: Site, folder: Path, name: str) -> None:
    """Have an agent of a package of its own run."""
    site.install(make_version(folder, name, OLD))
    site.change("agent.put", name=name, package=name, version=OLD, window=0)
    site.serving(name, OLD)


def moves(site: Site, folder: Path) -> Lane:
    """An agent that is updated and rolled back, its data migrated with it."""
    name = "moves"
    begin(site, folder, name)
    site.install(make_version(folder, name, NEW, **MIGRATES))
    lane = Lane(site, f"agent/{name}")

    def move(method: str, old: str, new: str) -> None:
        ledger = site.data(name).get("ledger", "")
        change = lane.change(
            method, "committed", "reverted", name=name, version=new, window=WINDOW
        )
        kept = change["state"] == "committed"
        assert kept or change["reason"] == "interrupted", change
        site.serving(name, new if kept else old)
        added = f"{old}>{new}\n" if kept else ""
        assert site.data(name).get("ledger", "") == ledger + added

    lane.operations = (
        Operation(lambda: move("agent.update", OLD, NEW)),
        Operation(lambda: move("agent.rollback", NEW, OLD)),
    )
    lane.turn = lambda: int(site.agents()[name]["version"] == NEW)
    return lane


def undone(site: Site, folder: Path, name: str, fault: str, beginning: str) -> Lane:
    """An agent with an update that is undone."""
    begin(site, folder, name)
    site.install(make_version(folder, name, NEW, fault, **MIGRATES))
    lane = Lane(site, f"agent/{name}")

    def update() -> None:
        before = site.data(name)
        lane.change("agent.update", "reverted", name=name, version=NEW, window=WINDOW)
        site.serving(name, OLD)
        assert site.data(name) == before

    lane.operations = (Operation(update, beginning),)
    return lane


def comes_and_goes(site: Site, folder: Path) -> Lane:
    """An agent that is created and removed with its data."""
    name = "guest"
    site.install(make_version(folder, name, OLD))
    lane = Lane(site, f"agent/{name}")

    def come() -> None:
        lane.change("agent.put", "committed", name=name, package=name, version=OLD, window=0)
        site.serving(name, OLD)

    def go() -> None:
        lane.change("agent.remove", "committed", name=name, purge=True)
        assert name not in site.agents()
        # systemd deletes the data by a process of the unit, and answers before that has ended
        wait_for(lambda: site.agent_processes([name]) == {name: []}, 30, "nothing of it runs")
        assert site.data(name) == {}
        assert not list((site.root / "etc/systemd/system").glob(f"opmas-agent@{name}.*"))

    lane.operations = (Operation(come), Operation(go))
    lane.turn = lambda: int(name in site.agents())
    return lane


def is_installed_and_removed(site: Site, folder: Path) -> Lane:
    """A package that is installed and removed."""
    name = "crate"
    path = site.bring(make_version(folder, name, OLD))
    lane = Lane(site, f"package/{name}")

    def install() -> None:
        lane.change("package.install", "committed", file=path)
        assert site.versions()[name] == [OLD]

    def remove() -> None:
        lane.change("package.remove", "committed", name=name, version=OLD)
        assert name not in site.versions()

    lane.operations = (Operation(install), Operation(remove))
    lane.turn = lambda: int(name in site.versions())
    return lane
