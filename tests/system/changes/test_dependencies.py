"""Agents that need each other, on a real systemd: who starts first, who waits for whom."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from opmas.errors import InvalidError, RequestError
from tests.lab import Host, wait_for
from tests.system.changes.packages import make_version
from tests.system.changes.site import Site
from tests.system.install import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = "1.0.0", "2.0.0"
# db is required by web, and web by api; soft wants db, and late is started after it.
NEEDS: dict[str, dict[str, Any]] = {
    "db": {},
    "web": {"requires": ["db"]},
    "api": {"requires": ["web"]},
    "soft": {"wants": ["db"]},
    "late": {"after": ["db"]},
}
BOUND = ("web", "api")
FREE = ("soft", "late")
SANDBOX: dict[str, Any] = {"sandbox": {"network": "full"}}
WAITS = "dependency-down"


@pytest.fixture(scope="module")
def family(debs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host with the agents, all running; a test leaves them so."""
    folder = tmp_path_factory.mktemp("family")
    with Host.up("family") as host:
        install(host, debs)
        site = Site(host)
        site.trust(folder / "keys")
        for name, needs in NEEDS.items():
            site.install(make_version(folder, name, OLD, **needs))
            create(site, name)
        yield site


@pytest.fixture(autouse=True)
def all_run(family: Site) -> None:
    for name, view in family.agents().items():
        if view["phase"] != "running":  # the test before failed
            family.call("agent.start", name=name)
    for name in NEEDS:
        family.wait_phase(name, "running")


def create(site: Site, name: str, version: str = OLD, **wanted: Any) -> None:
    site.change("agent.put", name=name, package=name, version=version, window=0, **wanted)
    site.serving(name, version)


def stamps(site: Site, name: str) -> dict[str, int]:
    """Return when the unit began to start, was up, began to stop, was down: microseconds."""
    names = ("InactiveExit", "ActiveEnter", "ActiveExit", "InactiveEnter")
    options = [f"-p{name}TimestampMonotonic" for name in names]
    said = site.systemctl("show", f"opmas-agent@{name}", *options)
    pairs = (line.partition("=") for line in said.splitlines())
    return {key.removesuffix("TimestampMonotonic"): int(value) for key, _, value in pairs}


def started_in_order(site: Site, *names: str) -> bool:
    found = [stamps(site, name) for name in names]
    pairs = pairwise(found)
    return all(first["ActiveEnter"] <= second["InactiveExit"] for first, second in pairs)


def stopped_in_order(site: Site, *names: str) -> bool:
    found = [stamps(site, name) for name in names]
    pairs = pairwise(found)
    return all(first["InactiveEnter"] <= second["ActiveExit"] for first, second in pairs)


def waits_for(site: Site, name: str, other: str) -> None:
    view = site.wait(name, lambda v: (v["phase"], v["reason"]) == ("stopped", WAITS), "it waits")
    assert f'"{other}"' in view["message"]


def come_back(site: Site, before: dict[str, Any]) -> None:
    """See that those bound to db are up again, anew, and the others never went."""
    for name in BOUND:
        site.wait_new_pid(name, before[name]["main_pid"])
    assert started_in_order(site, "db", *BOUND)
    after = site.agents()
    assert {n: after[n]["main_pid"] for n in FREE} == {n: before[n]["main_pid"] for n in FREE}


def reloads(site: Site) -> int:
    """Return how often systemd has read all of its units anew."""
    said = site.host.run("journalctl", "-b", "_PID=1", "-o", "cat", "--no-pager").stdout
    return sum(line.startswith("Reloading") for line in said.splitlines())


def test_a_crash_of_a_dependency_takes_its_dependents_along_and_brings_them_back(family: Site):
    before = family.agents()

    family.systemctl("kill", "-s", "KILL", "opmas-agent@db")

    family.wait_new_pid("db", before["db"]["main_pid"])
    come_back(family, before)
    assert {n: family.agents()[n]["held_by"] for n in NEEDS} == dict.fromkeys(NEEDS)


def test_a_dependency_stopped_with_systemctl_is_held_and_its_dependents_wait(family: Site):
    before = family.agents()

    family.systemctl("stop", "opmas-agent@db")

    family.wait("db", lambda v: v["held_by"] == "systemctl", "db is held")
    waits_for(family, "web", "db")
    waits_for(family, "api", "web")
    assert family.agents()["web"]["held_by"] is None
    family.systemctl("start", "opmas-agent@db")
    come_back(family, before)


def test_agents_are_stopped_in_the_reverse_order(family: Site):
    before = family.agents()

    family.run("agent", "stop", "db")

    for name in BOUND:
        family.wait_phase(name, "stopped")
    assert stopped_in_order(family, *reversed(BOUND), "db")
    waits_for(family, "web", "db")
    family.run("agent", "start", "db")
    come_back(family, before)


def test_a_dependent_that_is_started_first_waits_and_says_for_whom(family: Site):
    for name in (*BOUND, "db"):
        family.run("agent", "stop", name)

    family.call("agent.start", name="web")

    waits_for(family, "web", "db")
    family.call("agent.start", name="api")
    waits_for(family, "api", "web")
    family.call("agent.start", name="db")
    for name in BOUND:
        family.wait_phase(name, "running")
    assert started_in_order(family, "db", *BOUND)


def test_a_restart_of_a_dependency_restarts_its_dependents_after_it(family: Site):
    before = family.agents()

    family.run("agent", "restart", "db")

    family.wait_new_pid("db", before["db"]["main_pid"])
    come_back(family, before)


def test_systemctl_restart_of_a_dependency_restarts_its_dependents_after_it(family: Site):
    before = family.agents()

    family.systemctl("restart", "opmas-agent@db")

    come_back(family, before)
    assert {n: family.agents()[n]["held_by"] for n in NEEDS} == dict.fromkeys(NEEDS)


def test_what_others_require_is_not_removed(family: Site):
    last = family.last_change()

    with pytest.raises(RequestError) as caught:
        family.call("agent.remove", name="db")

    assert all(name in str((caught.value.message, caught.value.problems)) for name in BOUND)
    assert family.agents()["db"]["phase"] == "running"
    assert family.last_change() == last


def test_a_missing_dependency_is_refused_with_its_path(family: Site, tmp_path: Path):
    family.install(make_version(tmp_path, "lonely", OLD, requires=["nobody"]))
    last = family.last_change()

    with pytest.raises(InvalidError, match="lonely -> nobody"):
        family.call("agent.put", name="lonely", package="lonely")

    assert "lonely" not in family.agents()
    assert family.last_change() == last
    assert not list((family.root / "etc/systemd/system").glob("opmas-agent@lonely*"))


def test_a_circle_is_refused_with_its_path_before_anything_stops(family: Site, tmp_path: Path):
    family.install(make_version(tmp_path, "db", "1.5.0", requires=["api"]))
    before = family.agent_processes(NEEDS)

    with pytest.raises(InvalidError, match="db -> api -> web -> db"):
        family.call("agent.update", name="db", version="1.5.0")

    assert family.agent_processes(NEEDS) == before
    assert family.agents()["db"]["version"] == OLD


def test_a_conflict_is_refused_and_named(family: Site, tmp_path: Path):
    family.install(make_version(tmp_path, "rival", OLD, conflicts=["db"]))

    with pytest.raises(InvalidError, match='agent "db" runs the package db'):
        family.call("agent.put", name="rival", package="rival")

    assert "rival" not in family.agents()


def test_an_update_of_what_runs_below_others_starts_the_new_version(family: Site, tmp_path: Path):
    family.install(make_version(tmp_path, "db", NEW))
    before = family.agents()

    change = family.change("agent.update", name="db", version=NEW, window=2)

    assert family.ended(change)["state"] == "committed"
    family.serving("db", NEW)
    come_back(family, before)
    back = family.change("agent.rollback", name="db", version=OLD, window=0)
    assert family.ended(back)["state"] == "committed"
    family.serving("db", OLD)
    for name in BOUND:
        family.wait_phase(name, "running")


def test_an_update_below_an_agent_that_only_starts_after_it_starts_the_new_version(
    family: Site, tmp_path: Path
):
    for version in (OLD, NEW):
        family.install(make_version(tmp_path, "store", version))
    create(family, "store")
    family.install(make_version(tmp_path, "reader", OLD))
    create(family, "reader", after=["store"])
    reader = family.agent_processes(["reader"])

    change = family.change("agent.update", name="store", version=NEW, window=0)

    assert family.ended(change)["state"] == "committed"
    family.serving("store", NEW)
    assert family.agent_processes(["reader"]) == reader


def test_a_restart_below_a_running_agent_is_with_its_new_grants(family: Site, tmp_path: Path):
    family.install(make_version(tmp_path, "cable", OLD))
    family.install(make_version(tmp_path, "cable", NEW, **SANDBOX))
    create(family, "cable")
    family.install(make_version(tmp_path, "plug", OLD, after=["cable"]))
    create(family, "plug")
    plug = family.agent_processes(["plug"])
    assert family.property("opmas-agent@cable", "PrivateNetwork") == "yes"

    change = family.change(
        "agent.put", name="cable", package="cable", version=NEW, grants=["network=full"], window=0
    )

    assert family.ended(change)["state"] == "committed"
    family.serving("cable", NEW)
    assert family.property("opmas-agent@cable", "PrivateNetwork") == "no"
    assert family.agent_processes(["plug"]) == plug


def test_agents_that_nobody_names_cost_no_reload_of_systemd(family: Site, tmp_path: Path):
    before = reloads(family)

    for version in (OLD, NEW):
        family.install(make_version(tmp_path, "alone", version))
    create(family, "alone")
    family.run("agent", "restart", "alone")
    change = family.change("agent.update", name="alone", version=NEW, window=0)
    assert family.ended(change)["state"] == "committed"
    family.serving("alone", NEW)
    family.run("agent", "remove", "alone", "--yes")

    assert reloads(family) == before


def test_a_changed_agent_that_a_running_one_names_costs_one(family: Site, tmp_path: Path):
    family.install(make_version(tmp_path, "soft", NEW, wants=["late"]))
    before = reloads(family)

    change = family.change("agent.update", name="soft", version=NEW, window=0)
    assert family.ended(change)["state"] == "committed"
    family.serving("soft", NEW)
    limits = family.change("agent.put", name="late", package="late", limits={"tasks_max": 33})
    family.ended(limits)
    family.run("agent", "restart", "late")

    assert family.property("opmas-agent@late", "TasksMax") == "33"
    wait_for(lambda: reloads(family) == before + 1, 10, "one reload")


def test_a_boot_starts_them_in_order(family: Site):
    family.host.kill()
    family.host.boot()
    family.root = family.host.root
    family.up()

    for name in NEEDS:
        family.wait_phase(name, "running")

    assert started_in_order(family, "db", *BOUND)
    assert all(started_in_order(family, "db", name) for name in FREE)
    assert {n: family.agents()[n]["held_by"] for n in NEEDS} == dict.fromkeys(NEEDS)
    assert family.status()["problems"] == []
