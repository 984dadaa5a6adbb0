"""The power of the host is cut in the middle of a change: it ends after the boot, either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.lab import Host, wait_for
from tests.system.changes.packages import MIGRATES, make_version
from tests.system.changes.site import Site
from tests.system.install import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD: Final = "1.0.0"
NEW: Final = "2.0.0"


@pytest.fixture(scope="module")
def powered(debs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host with an agent that has an update, and one that has none."""
    folder = tmp_path_factory.mktemp("powered")
    with Host.up("powered") as host:
        install(host, debs)
        site = Site(host)
        site.trust(folder / "keys")
        for name in ("moves", "bystander"):
            site.install(make_version(folder, name, OLD))
            site.change("agent.put", name=name, package=name, version=OLD, window=0)
            site.serving(name, OLD)
        site.install(make_version(folder, "moves", NEW, **MIGRATES))
        yield site


def cut(site: Site, number: int, step: str) -> dict[str, Any]:
    """Cut the power when the change is at that step, boot, and return how the change ended."""
    task, _, state = step.partition(" ")

    def is_there() -> bool:
        found = site.events(0, type="opmas.change.step")
        data = [event["data"] for event in found if event["data"]["id"] == number]
        return any((d["task"], d["state"]) == (task, state) for d in data)

    wait_for(is_there, 30, f"change {number} is at {step}")
    site.host.kill()
    site.host.boot()
    site.root = site.host.root
    return site.ended(site.ask("change.show", id=number)["id"])


def is_right(site: Site, first: int) -> None:
    for view in site.agents().values():
        site.serving(view["name"], view["version"])
    site.versions()
    site.is_tidy()
    site.log(first)
    assert site.ask("host.status")["problems"] == []


@pytest.mark.parametrize(
    "step", ["rehearse doing", "snapshot doing", "migrate doing", "migrate done", "watch doing"]
)
def test_an_update_that_the_power_was_cut_in_ends_in_either_version(powered: Site, step: str):
    ledger, first = powered.data("moves").get("ledger", ""), powered.last_event()
    number = powered.change("agent.update", name="moves", version=NEW, window=2)

    change = cut(powered, number, step)

    kept = change["state"] == "committed"
    assert kept or (change["state"], change["reason"]) == ("reverted", "interrupted"), change
    powered.serving("moves", NEW if kept else OLD)
    assert powered.data("moves").get("ledger", "") == ledger + (f"{OLD}>{NEW}\n" if kept else "")
    if kept:
        back = powered.change("agent.rollback", name="moves", version=OLD, window=0)
        assert powered.ended(back)["state"] == "committed"
    is_right(powered, first)


def test_an_installation_that_the_power_was_cut_in_is_done_after_the_boot(
    powered: Site, tmp_path: Path
):
    first = powered.last_event()
    path = powered.bring(make_version(tmp_path, "crate", OLD))
    number = powered.change("package.install", file=path)

    change = cut(powered, number, "install doing")

    assert change["state"] == "committed"
    assert powered.versions()["crate"] == [OLD]
    is_right(powered, first)
