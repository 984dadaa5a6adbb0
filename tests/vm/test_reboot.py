"""A reboot in order: every agent comes back, after those that it requires."""

from itertools import pairwise

from tests.vm.agentset import ORDER, is_right, unit
from tests.vm.site import Site


def test_after_a_reboot_every_agent_is_back_and_after_those_that_it_requires(site: Site):
    before = site.machine.boot_id

    site.machine.reboot()

    is_right(site)
    assert site.machine.state == "running"
    assert site.json("status")["host"]["boot_id"] == site.machine.boot_id != before
    for first, second in pairwise(ORDER):
        ready = site.property(unit(first), "ActiveEnterTimestampMonotonic")
        begun = site.property(unit(second), "InactiveExitTimestampMonotonic")
        assert 0 < int(ready) <= int(begun)
