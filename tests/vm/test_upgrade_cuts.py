"""The power is cut while dpkg upgrades OPMAS itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from opmas.version import VERSION
from tests.lab import wait_for
from tests.system.install import NAMES, build
from tests.vm.agentset import is_right
from tests.vm.site import LOOK, WATCH_DPKG, packages_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vm.site import Site

NEXT: Final = f"{VERSION}+1"
MENDED: Final = 400.0  # seconds; the guard waits for one that somebody is completing by hand
UNDONE: Final = "upgrade-reverted"  # what is told when it ended in the version before
VERSIONS: Final = ("dpkg-query", "-W", "-f", "${Version} ${db:Status-Abbrev}\\n", *NAMES)


@pytest.fixture(scope="module")
def next_debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program, as the Debian version after this one."""
    directory = tmp_path_factory.mktemp("next")
    build("--version", NEXT, "--output", str(directory))
    return directory


@pytest.mark.parametrize(
    "step",
    [
        f"half-installed opmas-manager {VERSION}",
        f"unpacked opmas-manager {NEXT}",
        f"installed opmas-manager {NEXT}",
    ],
)
def test_an_upgrade_that_the_power_was_cut_in_ends_in_either_version(
    site: Site, next_debs: Path, step: str
):
    site.bring(next_debs, "/root/next")
    files = [f"/root/next/{path.name}" for path in packages_in(next_debs)]
    site.machine.run("sync")
    site.machine.power_cut_at(step, WATCH_DPKG, "dpkg", "--install", *files)

    site.machine.power_on()

    wait_for(lambda: are_whole(site), MENDED, "dpkg has nothing to mend", LOOK)
    is_right(site, frozenset({UNDONE}))


def are_whole(site: Site) -> bool:
    """Whether dpkg is done, and all packages are of the one version or the other."""
    audit, versions = site.machine.run_all(("dpkg", "--audit"), VERSIONS)
    found = {" ".join(line.split()) for line in versions.splitlines()}
    return not audit and found in ({f"{VERSION} ii"}, {f"{NEXT} ii"})
