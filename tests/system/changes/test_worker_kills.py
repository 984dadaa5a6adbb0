"""The package worker is killed before each of its acts: the job is done again, and done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.lab import wait_for
from tests.system.changes.packages import HALF, MIGRATES, make_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.changes.site import Site

SCRIPT: Final = Path(__file__).with_name("mortal.py")
ORDERS: Final = "var/lib/opmas/mortal"
DROP_IN: Final = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 /opt/mortal.py %i\n"
OLD, NEW = "1.0.0", "2.0.0"
MOST: Final = 200  # acts of a job; those of a small package take a third


class Mortal:
    """The workers of a host, which are killed when they are told to be."""

    def __init__(self, site: Site) -> None:
        self.killed: list[str] = []
        self._orders = site.root / ORDERS
        self._orders.mkdir(mode=0o700)
        site.host.copy_in(SCRIPT, "/opt/mortal.py")
        drop_in = site.root / "etc/systemd/system/opmas-package@.service.d/mortal.conf"
        drop_in.parent.mkdir()
        drop_in.write_text(DROP_IN)
        site.systemctl("daemon-reload")

    def sweep(self, kinds: set[str], does: Callable[[], None]) -> None:
        """Do it again and again, each time with a kill one act later, until all outlive it."""
        kinds = set(kinds)
        for act in range(MOST):
            for kind in kinds:
                (self._orders / kind).write_text(str(act))
            does()
            kinds = {kind for kind in kinds if self._was_killed(kind)}
            if not kinds:
                return
        raise AssertionError(f"{kinds} are killed at each of {MOST} acts")

    def _was_killed(self, kind: str) -> bool:
        killed, survived = self._orders / f"{kind}.killed", self._orders / f"{kind}.survived"
        assert killed.exists() != survived.exists(), f"the job {kind} was done"
        if survived.exists():
            survived.unlink()
            return False
        self.killed.append(f"{kind}: {killed.read_text()}")
        killed.unlink()
        return True


def test_a_worker_killed_before_any_of_its_acts_leaves_nothing_half_done(
    site: Site, tmp_path: Path
) -> None:
    mortal, first = Mortal(site), site.last_event()
    lanes = (
        ({"install", "uninstall"}, comes_and_goes(site, tmp_path)),
        ({"rehearse", "snapshot", "restore", "discard"}, is_undone(site, tmp_path)),
    )

    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(lambda lane: mortal.sweep(*lane), lanes))

    print(len(mortal.killed), "kills:", *mortal.killed, sep="\n")
    assert any("os.rename" in k and f"packages/crate/{OLD}" in k for k in mortal.killed)
    killed = {kill.partition(":")[0] for kill in mortal.killed}
    assert killed == {kind for kinds, _ in lanes for kind in kinds}
    site.is_tidy()
    site.log(first)


def comes_and_goes(site: Site, folder: Path) -> Callable[[], None]:
    """A package that is installed and removed."""
    path = site.bring(make_version(folder, "crate", OLD))

    def come_and_go() -> None:
        installed = site.change("package.install", file=path)
        assert site.ended(installed)["state"] == "committed"
        assert site.versions()["crate"] == [OLD]
        removed = site.change("package.remove", name="crate", version=OLD)
        assert site.ended(removed)["state"] == "committed"
        assert "crate" not in site.versions()

    return come_and_go


def is_undone(site: Site, folder: Path) -> Callable[[], None]:
    """An agent with an update whose migration fails: all jobs of a change are done for it."""
    name = "halfway"
    site.install(make_version(folder, name, OLD))
    site.install(make_version(folder, name, NEW, HALF, **MIGRATES))
    site.change("agent.put", name=name, package=name, version=OLD, window=0)
    site.serving(name, OLD)

    def update() -> None:
        before = site.data(name)
        change = site.change("agent.update", name=name, version=NEW, window=0)
        assert site.ended(change)["state"] == "reverted"
        site.serving(name, OLD)
        assert site.data(name) == before
        left = (f"jobs/{change}-", f"snapshots/{change}")
        wait_for(
            lambda: not any(found.startswith(left) for found in site.leftovers()),
            20, f"nothing is left of change {change}",
        )  # fmt: skip

    return update
