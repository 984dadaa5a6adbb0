"""A reboot in order: every agent comes back, after those that it requires."""

from itertools import pairwise

from tests.vm.agentset import ORDER, is_right
from tests.vm.site import Site


def test_after_a_reboot_every_agent_is_back_and_after_those_that_it_requires(site: Site):
    before = site.last_event()

    site.machine.reboot()

    is_right(site)
    assert site.machine.state == "running"
    assert site.json("status")["host"]["boot_id"] == site.machine.boot_id
    told: dict[tuple[str, str], int] = {}
    for event in site.events(before, "--type", "opmas.agent.phase"):
        told.setdefault((event["subject"], event["data"]["to"]), event["sequence"])
    for first, second in pairwise(ORDER):
        assert told[f"agent/{first}", "running"] < told[f"agent/{second}", "starting"]
        ready = int(site.property(f"opmas-agent@{first}", "ActiveEnterTimestampMonotonic"))
        begun = int(site.property(f"opmas-agent@{second}", "InactiveExitTimestampMonotonic"))
        assert ready <= begun
