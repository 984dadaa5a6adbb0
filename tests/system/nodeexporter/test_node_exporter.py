"""node-exporter on a real host: a system .deb around a program that Debian ships."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opmas.version import VERSION
from tests.lab import Host, wait_for
from tests.system.install import FOUND_WITHIN, apt, build, install

NEXT = f"{VERSION}+1"
INDEX = """\
apt-ftparchive packages . > Packages
echo 'deb [trusted=yes] file:/root/next ./' > /etc/apt/sources.list.d/next.list"""
UNIT = "opmas-agent@node-exporter.service"
DEB = "opmas-agent-node-exporter"
DEBIANS = "prometheus-node-exporter.service"
WITHIN = 20.0
# The same program as a newer version of its package; what dpkg-repack makes is what dpkg has.
NEWER = """
set -e
cd /root
dpkg-repack --generate prometheus-node-exporter >/dev/null 2>&1
cd dpkg-repack.prometheus-node-exporter.*
sed -i 's/^Version: .*/&+newer/' DEBIAN/control
touch usr/bin/prometheus-node-exporter
dpkg-deb --build . /root/newer.deb
"""


@pytest.fixture(scope="module")
def host(debs: Path) -> Iterator[Host]:
    """A host on which the agent runs, beside Debian's own service."""
    with Host.up("exporter") as host:
        install(host, debs)
        host.run("systemctl", "start", DEBIANS)
        install(host, debs, DEB)
        wait_for(lambda: is_known(host), FOUND_WITHIN, "the package found")
        host.run("opmas", "agent", "create", "node-exporter", "--grant-all")
        yield host


@pytest.fixture(scope="module")
def next_debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same packages, as the Debian version after this one."""
    directory = tmp_path_factory.mktemp("next")
    build("--version", NEXT, "--output", str(directory))
    return directory


def is_known(host: Host) -> bool:
    return host.run("opmas", "package", "show", "node-exporter", check=False).returncode == 0


def shown(host: Host) -> dict[str, Any]:
    """Return the agent as `opmas agent show` has it."""
    view = json.loads(host.run("opmas", "agent", "show", "node-exporter", "--json").stdout)
    agent: dict[str, Any] = view.get("agent", view)
    return agent


def deb_version(host: Host) -> str:
    return host.run("dpkg-query", "-W", "-f", "${Version}", DEB).stdout


def is_healthy(host: Host) -> bool:
    health: str = shown(host)["health"]
    return health == "healthy"


def metrics(host: Host, port: int = 9101) -> str:
    return host.run("curl", "-sS", "--fail", f"http://127.0.0.1:{port}/metrics").stdout


def test_it_is_a_package_of_its_deb(host: Host) -> None:
    view = json.loads(host.run("opmas", "package", "show", "node-exporter", "--json").stdout)

    package = view.get("package", view)
    assert (package["deb"], package["source"]) == (DEB, "deb")
    assert [need["name"] for need in package["needs"]] == ["network=full", "proc=host"]


def test_it_serves_beside_debians_own_service(host: Host) -> None:
    ours, debians = metrics(host), metrics(host, 9100)

    assert "node_cpu_seconds_total{" in ours
    assert "node_cpu_seconds_total{" in debians
    assert is_healthy(host)


def test_in_its_sandbox_it_has_the_figures_that_debians_service_has(host: Host) -> None:
    def collectors(text: str) -> set[str]:
        pattern = r'^node_scrape_collector_success\{collector="(\w+)"\} 1$'
        return set(re.findall(pattern, text, re.MULTILINE))

    debians = collectors(metrics(host, 9100))

    assert debians - collectors(metrics(host)) == {"systemd", "timex"}


def test_file_systems_are_the_hosts(host: Host) -> None:
    host.run("mkdir", "-p", "/srv/disk")
    host.run("mount", "-t", "ramfs", "later", "/srv/disk")

    text = metrics(host)

    host.run("umount", "/srv/disk")
    read_only = re.findall(r"^node_filesystem_readonly\{(.*)\} (\d)$", text, re.MULTILINE)
    assert read_only == [('device="later",fstype="ramfs",mountpoint="/srv/disk"', "0")]


def test_text_files_are_served(host: Host) -> None:
    host.run("sh", "-c", "echo 'backup_age_seconds 7' > /var/lib/prometheus/node-exporter/b.prom")

    assert "backup_age_seconds 7\n" in metrics(host)


def test_a_change_of_its_configuration_takes_effect(host: Host) -> None:
    change = ("opmas", "agent", "update", "node-exporter")
    host.run(
        *change,
        "--set",
        "port=9301",
        "--set",
        'collectors.enable=["interrupts", "mountstats", "processes"]',
    )
    host.run("opmas", "agent", "restart", "node-exporter")

    text = metrics(host, 9301)

    wait_for(lambda: is_healthy(host), WITHIN, "its health on the new port")
    host.run(*change, "--set", "port=9101", "--set", "collectors.enable=[]")
    host.run("opmas", "agent", "restart", "node-exporter")
    assert "node_interrupts_total{" in text
    assert metrics(host)


def test_its_unit_stays_closed(host: Host) -> None:
    said = host.run("systemd-analyze", "security", "--no-pager", UNIT).stdout

    exposure = float(said.rpartition(f"{UNIT}: ")[2].split()[0])
    assert exposure <= 1.1


def test_it_runs_on_when_its_program_is_upgraded_and_says_that_it_is_the_old_one(
    host: Host,
) -> None:
    before = shown(host)
    host.run("sh", "-c", NEWER)

    apt(host, "install", "/root/newer.deb")

    wait_for(lambda: shown(host)["needs_restart"], WITHIN, "that a restart is needed")
    after = shown(host)
    host.run("opmas", "agent", "restart", "node-exporter")
    assert not before["needs_restart"]
    assert (after["phase"], after["main_pid"]) == ("running", before["main_pid"])
    assert not shown(host)["needs_restart"]
    assert metrics(host)


def test_opmas_updates_it_from_a_repository_and_rolls_it_back(host: Host, next_debs: Path) -> None:
    host.copy_in(next_debs, "/root/next")
    host.run("sh", "-c", f"cd /root/next && rm $(ls | grep -v ^{DEB}) && {INDEX}")
    host.run("apt-get", "-q", "update")
    before = deb_version(host)

    at_once = ("node-exporter", "--window", "0")
    host.run("opmas", "package", "update", *at_once, timeout=120)
    updated = deb_version(host)
    host.run("opmas", "package", "rollback", *at_once, timeout=120)

    assert (before, updated, deb_version(host)) == (VERSION, NEXT, VERSION)
    assert host.run("dpkg", "--audit").stdout == ""
    assert host.run("debsums", "--silent", DEB, check=False).stdout == ""
    assert shown(host)["phase"] == "running"
    assert metrics(host)


def test_removed_it_leaves_nothing_and_debians_service_alone(debs: Path) -> None:
    with Host.up("gone") as host:
        install(host, debs)
        host.run("systemctl", "start", DEBIANS)
        install(host, debs, DEB)
        wait_for(lambda: is_known(host), FOUND_WITHIN, "the package found")
        host.run("opmas", "agent", "create", "node-exporter", "--grant-all")
        host.run("opmas", "agent", "remove", "node-exporter", "--purge", "--yes")

        apt(host, "purge", DEB)

        left = host.run(
            "find", "/usr/lib/opmas/agents", "/var/lib/opmas-agents", "-name", "*node*"
        )
        assert left.stdout == ""
        assert host.run("systemctl", "list-units", "--no-legend", f"{UNIT}*").stdout == ""
        assert host.run("dpkg", "--audit").stdout == ""
        assert metrics(host, 9100)
