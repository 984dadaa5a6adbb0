"""Upgrading in place: nothing that runs is disturbed, nothing that was edited is lost."""

from pathlib import Path

import pytest

from tests.lab import Host, wait_for
from tests.system.install import build, install

NEXT = "0.1.0+1"
AGENT = "opmas-agent@hostwatch.service"
REQUEST = "curl -sS --fail http://127.0.0.1:8420/v1/health >/dev/null || echo refused"


@pytest.fixture(scope="module")
def next_debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program, as the Debian version after this one."""
    directory = tmp_path_factory.mktemp("next")
    build("--version", NEXT, "--output", str(directory))
    return directory


@pytest.fixture
def host(installed_host: Host) -> Host:
    """A host that runs the agent hostwatch."""
    create = ("opmas", "agent", "create", "hostwatch", "--grant-all")
    wait_for(
        lambda: installed_host.run(*create, check=False).returncode == 0, 10, "hostwatch to run"
    )
    return installed_host


def show(host: Host, unit: str) -> dict[str, str]:
    names = "MainPID,InvocationID,NRestarts,ActiveState"
    rows = host.run("systemctl", "show", f"--property={names}", unit).stdout.splitlines()
    return dict(row.split("=", 1) for row in rows)


def test_an_upgrade_restarts_the_manager_and_no_agent(host: Host, next_debs: Path) -> None:
    agent, manager = show(host, AGENT), show(host, "opmas-manager.service")

    install(host, next_debs)

    after = show(host, "opmas-manager.service")
    assert show(host, AGENT) == agent
    assert agent["ActiveState"] == after["ActiveState"] == "active"
    assert after["MainPID"] != manager["MainPID"]
    assert host.run("opmas", "agent", "show", "hostwatch").returncode == 0
    assert host.run("dpkg", "--audit").stdout == ""


def test_an_upgrade_leaves_only_the_new_modules(host: Host, next_debs: Path) -> None:
    install(host, next_debs)

    found = host.run("sh", "-c", "ls -d /usr/lib/opmas/[0-9]*")

    assert found.stdout == f"/usr/lib/opmas/{NEXT}\n"


def test_an_upgrade_restarts_the_api_that_serves(host: Host, next_debs: Path) -> None:
    host.run("curl", "-sS", "--fail", "http://127.0.0.1:8420/v1/health")
    before = show(host, "opmas-api.service")

    install(host, next_debs)

    after = show(host, "opmas-api.service")
    assert before["ActiveState"] == after["ActiveState"] == "active"
    assert after["InvocationID"] != before["InvocationID"]


def test_an_upgrade_refuses_no_request(host: Host, next_debs: Path) -> None:
    host.run("systemd-run", "-q", "--unit=asking", "sh", "-c", f"while :; do {REQUEST}; done")

    install(host, next_debs)

    host.run("systemctl", "stop", "asking")
    said = host.run("journalctl", "-u", "asking", "-o", "cat", "--no-pager").stdout
    assert "refused" not in said


def test_an_upgrade_keeps_what_was_edited(host: Host, next_debs: Path) -> None:
    files = ["/etc/opmas/opmas.yaml", "/etc/opmas/api.yaml"]
    drop_in = f"/etc/systemd/system/{AGENT}.d/90-mine.conf"
    host.run("sh", "-c", f"echo '# mine' | tee -a {' '.join(files)} >/dev/null")
    host.run("sh", "-c", f"printf '[Service]\\nNice=7\\n' > {drop_in}")

    install(host, next_debs)

    assert host.run("tail", "-qn1", *files).stdout == "# mine\n# mine\n"
    assert host.run("cat", drop_in).stdout == "[Service]\nNice=7\n"


def test_a_disabled_manager_stays_disabled(host: Host, next_debs: Path) -> None:
    host.run("systemctl", "disable", "--now", "opmas-manager")

    install(host, next_debs)

    assert show(host, "opmas-manager.service")["ActiveState"] == "inactive"
    assert show(host, AGENT)["ActiveState"] == "active"


def test_the_same_version_again_is_harmless(host: Host, debs: Path) -> None:
    agent = show(host, AGENT)

    install(host, debs)

    assert show(host, AGENT) == agent
