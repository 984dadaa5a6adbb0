"""hostwatch on a real host, in its sandbox, as installed from its package."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Host, wait_for

UNIT = "opmas-agent@hostwatch.service"
QUICK = ("--set", "interval=1", "--set", "failed_units.period=10")
WITHIN = 30.0


@pytest.fixture(scope="module")
def host(shared_host: Host) -> Host:
    """A host on which hostwatch runs, with short periods."""
    wait_for(
        lambda: (
            shared_host.run("opmas", "package", "show", "hostwatch", check=False).returncode == 0
        ),
        WITHIN,
        "the package hostwatch",
    )
    shared_host.run("opmas", "agent", "create", "hostwatch", "--grant-all", *QUICK)
    return shared_host


@pytest.fixture
def disk(host: Host) -> Iterator[str]:
    """A file system of 1 MiB on the host, mounted while the agent runs."""
    host.run("mkdir", "-p", "/srv/small")
    host.run("mount", "-t", "tmpfs", "-o", "size=1m", "small", "/srv/small")
    yield "/srv/small"
    host.run("umount", "/srv/small")


@pytest.fixture
def broken(host: Host) -> Iterator[str]:
    """A unit on the host that has failed."""
    host.run("systemd-run", "--unit=broken", "/bin/false")
    yield "broken.service"
    host.run("systemctl", "reset-failed", "broken.service", check=False)


def events(host: Host, instance: str) -> list[dict[str, Any]]:
    """Return what the agent told of the instance."""
    command = ("opmas", "events", "--agent", "hostwatch", "--lines", "1000", "--json")
    told = json.loads(host.run(*command).stdout)["events"]
    return [e for e in told if e["data"].get("data", {}).get("instance") == instance]


def test_a_file_system_that_fills_up_is_an_event(host, disk):
    host.run("dd", "if=/dev/zero", f"of={disk}/file", "bs=1000k", "count=1")

    wait_for(lambda: len(events(host, disk)) >= 2, WITHIN, "two events")

    assert [event["type"] for event in events(host, disk)[:2]] == [
        "agent.hostwatch.threshold.crossed"
    ] * 2


def test_a_failed_unit_is_an_event_and_so_is_its_recovery(host, broken):
    wait_for(lambda: len(events(host, broken)) == 1, WITHIN, "an event")
    host.run("systemctl", "reset-failed", broken)
    wait_for(lambda: len(events(host, broken)) == 2, WITHIN, "a second event")

    assert [event["type"] for event in events(host, broken)] == [
        "agent.hostwatch.threshold.crossed",
        "agent.hostwatch.threshold.cleared",
    ]


def test_all_its_readings_work_in_the_sandbox(host):
    wait_for(lambda: shown(host)["health"] == "healthy", WITHIN, "health")

    names = {metric["name"] for metric in shown(host)["metrics"]}
    assert {
        "host_memory_total_bytes",
        "host_pressure_ratio",
        "host_units_failed",
        "host_filesystem_size_bytes",
        "host_cpu_usage_ratio",
    } <= names


def test_an_agent_of_another_name_says_why_it_cannot_list_failed_units(host):
    host.run("opmas", "agent", "create", "second", "--package", "hostwatch", "--grant-all")

    view = shown(host, "second")

    host.run("opmas", "agent", "remove", "second", "--purge", "--yes")
    assert view["health"] == "degraded"
    assert "dbus-daemon serves only users of /etc/passwd" in view["health_message"]


def test_its_unit_stays_closed(host):
    said = host.run("systemd-analyze", "security", "--no-pager", UNIT).stdout

    exposure = float(said.rpartition(f"{UNIT}: ")[2].split()[0])
    assert exposure <= 1.5


def shown(host: Host, name: str = "hostwatch") -> dict[str, Any]:
    """Return the agent as `opmas agent show` has it."""
    view = json.loads(host.run("opmas", "agent", "show", name, "--json").stdout)
    agent: dict[str, Any] = view.get("agent", view)
    return agent
