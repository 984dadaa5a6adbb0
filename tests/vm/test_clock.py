"""The clock jumps: no agent notices, nothing waits for another year, no history is lost."""

import pytest

from tests.vm.agentset import ORDER, RUNNING, is_right, unit
from tests.vm.site import Site

JUMPS = ("+1 hour", "-2 hours", "+1 year", "-2 years", "+1 year +1 hour")
VICTIM = ORDER[-1]  # nobody requires it


@pytest.mark.parametrize("jumps", [JUMPS], ids=["by hours and years, both ways"])
def test_a_clock_that_jumps_restarts_nothing_and_delays_nothing(
    site: Site, jumps: tuple[str, ...]
):
    manager = site.property("opmas-manager", "MainPID")
    before = pids(site)

    for jump in jumps:
        site.machine.run("date", "--set", jump)
        crash_is_told_and_mended(site)

    assert site.property("opmas-manager", "MainPID") == manager
    kept = RUNNING - {VICTIM}
    assert {n: pid for n, pid in pids(site).items() if n in kept} == {n: before[n] for n in kept}
    is_right(site)


def crash_is_told_and_mended(site: Site) -> None:
    last, pid = site.last_event(), site.property(unit(VICTIM), "MainPID")
    # its count of starts is by systemd's monotonic clock, and there are many jumps
    site.machine.run("systemctl", "reset-failed", unit(VICTIM))

    site.machine.run("kill", "-KILL", pid)

    site.wait_event(last, "opmas.agent.exited", f"agent/{VICTIM}")
    site.wait_agent(
        VICTIM,
        lambda view: view["phase"] == "running" and str(view["main_pid"]) != pid,
        "runs again",
    )


def pids(site: Site) -> dict[str, str]:
    return {name: site.property(unit(name), "MainPID") for name in RUNNING}
