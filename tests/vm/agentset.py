"""The agents that a machine of the tests runs, and how all of them must be after any boot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.lab import wait_for
from tests.system.changes.packages import MIGRATES, make_version
from tests.system.install import NAMES
from tests.vm.site import DATABASE, LOOK, SETTLED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vm.site import Site

OLD: Final = "1.0.0"
NEW: Final = "2.0.0"
MOVES: Final = "moves"  # has an update, with a migration of its data
ORDER: Final = ("source", "relay", "sink")  # each requires the one before
RESTS: Final = "rests"  # is wanted stopped
RUNNING: Final = frozenset({"hostwatch", MOVES, *ORDER})


def create_agents(site: Site, folder: Path) -> None:
    """Install the bundles, create the agents, and see them run."""
    for bundle in (make_version(folder, MOVES, OLD), make_version(folder, MOVES, NEW, **MIGRATES)):
        site.opmas("package", "install", site.bring(bundle, f"/root/{bundle.name}"))
    site.opmas("agent", "create", "hostwatch", "--grant-all")
    site.opmas("agent", "create", MOVES, "--version", OLD, "--window", "0")
    for name in ORDER:
        site.opmas("agent", "create", name)
    site.opmas("agent", "create", RESTS, "--package", "exec-sleep")
    site.opmas("agent", "stop", RESTS)
    is_right(site)


def is_right(site: Site, maybe: frozenset[str] = frozenset()) -> None:
    """See every agent as desired, no change under way, the database and the packages whole.

    `maybe` are the problems of the host that may be told.
    """
    agents_are_right(site)
    said = site.machine.run_all(
        ("opmas", "status", "--json"),
        ("opmas", "change", "list", "--active", "--json"),
        ("opmas", "events", "--after", "0", "--json"),
        ("systemctl", "--failed", "--plain", "--no-legend"),
        ("dpkg", "--audit"),
        ("debsums", "--silent", *NAMES),
        ("sqlite3", DATABASE, "PRAGMA integrity_check"),
    )
    assert {each["code"] for each in json.loads(said[0])["host"]["problems"]} <= maybe
    assert json.loads(said[1])["changes"] == []
    numbers = [event["sequence"] for event in json.loads(said[2])["events"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert said[3:] == ["", "", "", "ok"]


def agents_are_right(site: Site) -> None:
    """Wait until each agent is as it is wanted, told and indeed."""
    wanted = dict.fromkeys(RUNNING, "running") | {RESTS: "stopped"}

    def look() -> bool:
        return {n: a["phase"] for n, a in site.agents().items()} == wanted

    try:
        wait_for(look, SETTLED, f"the agents are {wanted}", LOOK)
    except AssertionError as error:
        error.add_note(site.opmas("status", check=False))
        raise
    units = (
        "systemctl",
        "list-units",
        "--plain",
        "--no-legend",
        "--state=active",
        "opmas-agent@*",
    )
    (found,) = site.machine.run_all(units)
    assert {line.split()[0] for line in found.splitlines()} == {unit(n) for n in RUNNING}


def unit(name: str) -> str:
    return f"opmas-agent@{name}.service"


def serves(site: Site, version: str) -> None:
    """See the agent with the update run this version, told and indeed."""
    view = site.wait_agent(MOVES, lambda view: view["phase"] == "running", "runs")
    assert view["version"] == version
    assert site.data(MOVES)["runs"] == version
