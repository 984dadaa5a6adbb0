"""Upgrading in place: nothing that runs is disturbed, nothing that was edited is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Host
from tests.system.install import build, create_agent, install

NEXT = "0.1.0+1"
AGENT = "opmas-agent@hostwatch.service"
MANAGER = "opmas-manager.service"
API = "opmas-api.service"
URL = "http://127.0.0.1:8420/v1/health"
# curl fails where no answer is had; the 503 of a manager that restarts is one.
ASK = f"while curl -sS -o /dev/null {URL} 2>&1; do :; done"
EDITED = ["/etc/opmas/opmas.yaml", "/etc/opmas/api.yaml"]
DROP_IN = f"/etc/systemd/system/{AGENT}.d/90-mine.conf"


@dataclass(frozen=True)
class Upgrade:
    """A host after its upgrade, what it ran before, and what a client saw meanwhile."""

    host: Host
    before: dict[str, dict[str, str]]
    client_said: str


@pytest.fixture(scope="module")
def next_debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program, as the Debian version after this one."""
    directory = tmp_path_factory.mktemp("next")
    build("--version", NEXT, "--output", str(directory))
    return directory


@pytest.fixture(scope="module")
def upgrade(debs: Path, next_debs: Path) -> Iterator[Upgrade]:
    with Host.up("upgrade") as host:
        install(host, debs)
        create_agent(host)
        host.run("curl", "-sS", "--fail", URL)
        host.run("sh", "-c", f"echo '# mine' | tee -a {' '.join(EDITED)} >/dev/null")
        host.run("sh", "-c", f"printf '[Service]\\nNice=7\\n' > {DROP_IN}")
        before = {unit: show(host, unit) for unit in (AGENT, MANAGER, API)}
        with host.popen("sh", "-c", ASK) as client:
            install(host, next_debs)
            client.terminate()
            said, _ = client.communicate()
        yield Upgrade(host, before, said)


def show(host: Host, unit: str) -> dict[str, str]:
    names = "MainPID,InvocationID,NRestarts,ActiveState"
    rows = host.run("systemctl", "show", f"--property={names}", unit).stdout.splitlines()
    return dict(row.split("=", 1) for row in rows)


def test_an_upgrade_restarts_no_agent(upgrade: Upgrade) -> None:
    now = show(upgrade.host, AGENT)

    assert now["ActiveState"] == "active"
    assert now == upgrade.before[AGENT]


@pytest.mark.parametrize("unit", [MANAGER, API])
def test_an_upgrade_restarts_what_is_upgraded(upgrade: Upgrade, unit: str) -> None:
    now = show(upgrade.host, unit)

    assert now["ActiveState"] == "active"
    assert now["InvocationID"] != upgrade.before[unit]["InvocationID"]


def test_an_upgrade_keeps_the_agents_known(upgrade: Upgrade) -> None:
    agents = upgrade.host.run("opmas", "agent", "list", "--json")

    assert '"running"' in agents.stdout


def test_an_upgrade_refuses_no_connection(upgrade: Upgrade) -> None:
    assert upgrade.client_said == ""


def test_an_upgrade_leaves_only_the_new_modules(upgrade: Upgrade) -> None:
    found = upgrade.host.run("sh", "-c", "ls -d /usr/lib/opmas/[0-9]*")

    assert found.stdout == f"/usr/lib/opmas/{NEXT}\n"


def test_an_upgrade_keeps_what_was_edited(upgrade: Upgrade) -> None:
    ends = upgrade.host.run("tail", "-qn1", *EDITED)
    drop_in = upgrade.host.run("cat", DROP_IN)

    assert ends.stdout == "# mine\n# mine\n"
    assert drop_in.stdout == "[Service]\nNice=7\n"


def test_an_upgrade_leaves_dpkg_content(upgrade: Upgrade) -> None:
    audit = upgrade.host.run("dpkg", "--audit")

    assert audit.stdout == ""


def test_the_same_version_again_restarts_no_agent(installed_host: Host, debs: Path) -> None:
    create_agent(installed_host)
    before = show(installed_host, AGENT)

    install(installed_host, debs)

    assert show(installed_host, AGENT) == before


def test_a_disabled_manager_stays_stopped(installed_host: Host, next_debs: Path) -> None:
    create_agent(installed_host)
    installed_host.run("systemctl", "disable", "--now", MANAGER)

    install(installed_host, next_debs)

    assert show(installed_host, MANAGER)["ActiveState"] == "inactive"
    assert show(installed_host, AGENT)["ActiveState"] == "active"
