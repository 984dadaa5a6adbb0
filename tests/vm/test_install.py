"""The packages on a stock Debian 12 with a kernel of its own and pure cgroup v2."""

from tests.vm.agentset import is_right
from tests.vm.site import Site


def test_a_stock_debian_runs_the_packages_that_apt_installed(site: Site):
    hierarchy, doctor = site.machine.run_all(
        ("stat", "--file-system", "--format=%T", "/sys/fs/cgroup"), ("opmas", "doctor")
    )

    assert hierarchy == "cgroup2fs"
    assert "0 failed" in doctor
    is_right(site)
