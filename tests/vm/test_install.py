"""The packages on a stock Debian 12 with a kernel of its own and pure cgroup v2."""

from tests.vm.agentset import is_right, said
from tests.vm.site import Site


def test_a_stock_debian_runs_the_packages_that_apt_installed(site: Site):
    hierarchy = said(site, "stat", "-f", "-c", "%T", "/sys/fs/cgroup")
    failed = said(site, "opmas", "doctor")

    assert hierarchy == "cgroup2fs"
    assert "0 failed" in failed
    is_right(site)
