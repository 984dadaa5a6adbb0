"""The agents that a machine of the tests runs, and how all of them must be after any boot."""

from __future__ import annotations

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


def is_right(site: Site, **versions: str) -> None:
    """See every agent as desired, no change under way, the database and the packages whole."""
    agents_are_right(site)
    status = site.json("status")
    assert status["host"]["problems"] == []
    assert site.json("change", "list", "--active")["changes"] == []
    assert said(site, "systemctl", "--failed", "--plain", "--no-legend") == ""
    assert said(site, "dpkg", "--audit") == ""
    assert said(site, "sqlite3", DATABASE, "PRAGMA integrity_check") == "ok"
    assert said(site, "debsums", "--silent", *NAMES) == ""
    log_has_no_gaps(site)


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
    units = said(site, "systemctl", "list-units", "--plain", "--no-legend", "opmas-agent@*")
    assert {line.split()[0] for line in units.splitlines()} == {unit(n) for n in RUNNING}


def unit(name: str) -> str:
    return f"opmas-agent@{name}.service"


def serves(site: Site, version: str) -> None:
    """See the agent with the update run this version, told and indeed."""
    view = site.wait_agent(MOVES, lambda view: view["phase"] == "running", "runs")
    assert view["version"] == version
    assert site.data(MOVES)["runs"] == version


def log_has_no_gaps(site: Site) -> None:
    numbers = [event["sequence"] for event in site.events()]
    assert numbers == list(range(1, len(numbers) + 1))


def said(site: Site, *argv: str) -> str:
    done = site.machine.run(*argv, check=False)
    return (done.stdout + done.stderr).strip()
