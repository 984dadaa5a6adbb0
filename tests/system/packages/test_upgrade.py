"""Upgrading in place: nothing that runs is disturbed, nothing that was edited is lost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opmas.version import VERSION
from tests.lab import Host, wait_for
from tests.system.install import build, create_agent, install

NEXT = f"{VERSION}+1"
AGENT = "opmas-agent@hostwatch.service"
MANAGER = "opmas-manager.service"
API = "opmas-api.service"
URL = "http://127.0.0.1:8420/v1/health"
# curl fails where no answer is had; the 503 of a manager that restarts is one.
ASK = f"while curl -sS -o /dev/null {URL} 2>&1; do :; done"
EDITED = ["/etc/opmas/opmas.yaml", "/etc/opmas/api.yaml"]
DATABASE = "/var/lib/opmas/manager.db"
OLD_STATE = Path(__file__).with_name("version-0.1.0.sql")
PACKAGE_JOB = "opmas-package@900-1.service"
APT_JOB = "opmas-apt@900-2.service"
STATE = "/var/lib/opmas/jobs/900-2"
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


def test_what_version_0_1_0_left_is_taken_over(installed_host: Host) -> None:
    host = installed_host
    create_agent(host)
    before = show(host, AGENT)
    host.run("systemctl", "stop", MANAGER)
    host.run("sh", "-c", f"rm {DATABASE}*")
    host.run("sqlite3", DATABASE, input=OLD_STATE.read_text())

    host.run("systemctl", "start", MANAGER)

    agents = json.loads(host.run("opmas", "agent", "list", "--json").stdout)["agents"]
    events = json.loads(host.run("opmas", "events", "--json").stdout)["events"]
    assert [(each["name"], each["phase"]) for each in agents] == [("hostwatch", "running")]
    assert events[0]["time"] == "2026-11-22T20:20:07.473551Z"
    assert host.run("opmas", "change", "list").stdout == "no changes\n"
    assert show(host, AGENT) == before


def test_an_upgrade_leaves_a_job_under_way_alone(installed_host: Host, next_debs: Path) -> None:
    override(installed_host, PACKAGE_JOB, "/usr/bin/sleep infinity")
    override(installed_host, APT_JOB, "/usr/bin/sleep infinity")
    installed_host.run("systemctl", "start", "--no-block", PACKAGE_JOB, APT_JOB)
    wait_for(lambda: show(installed_host, APT_JOB)["MainPID"] != "0", 10, "the jobs to run")
    before = [show(installed_host, unit) for unit in (PACKAGE_JOB, APT_JOB)]

    install(installed_host, next_debs)

    assert [show(installed_host, unit) for unit in (PACKAGE_JOB, APT_JOB)] == before


def test_a_job_of_the_manager_that_upgrades_the_manager_ends_well(
    installed_host: Host, next_debs: Path
) -> None:
    host = installed_host
    serve(host, next_debs)
    params = {"deb": "opmas-agent-hostwatch", "version": NEXT, "path": None}
    job = {"id": "900-2", "kind": "apt-install", "params": {**params, "allow_downgrade": False}}
    host.run("mkdir", "-p", STATE)
    host.run("tee", f"{STATE}/job.json", input=json.dumps(job))
    # the manager that starts anew may clear away a job that it does not know
    override(host, APT_JOB, f"+/bin/cp {STATE}/result.json /root/", key="ExecStartPost")
    before = show(host, MANAGER)

    host.run("systemctl", "start", APT_JOB, timeout=180)

    result = json.loads(host.run("cat", "/root/result.json").stdout)
    query = "${Package} ${Version} ${db:Status-Abbrev}\\n"
    names = ("opmas-agent-hostwatch", "opmas-api", "opmas-manager", "python3-opmas-agent")
    rows = host.run("dpkg-query", "-W", "-f", query, *names).stdout.splitlines()
    assert result["ok"], result
    assert [row.split() for row in rows] == [[name, NEXT, "ii"] for name in names]
    assert host.run("dpkg", "--audit").stdout == ""
    assert show(host, MANAGER)["InvocationID"] != before["InvocationID"]


def override(host: Host, unit: str, command: str, key: str = "ExecStart") -> None:
    """Have the unit run something else, or something more, until the host is rebooted."""
    text = f"[Service]\n{'ExecStart=' if key == 'ExecStart' else ''}\n{key}={command}\n"
    host.run("mkdir", "-p", f"/run/systemd/system/{unit}.d")
    host.run("tee", f"/run/systemd/system/{unit}.d/test.conf", input=text)
    host.run("systemctl", "daemon-reload")


def serve(host: Host, debs: Path) -> None:
    """Make the packages a repository of apt on the host."""
    host.copy_in(debs, "/root/next")
    host.run("sh", "-c", "cd /root/next && apt-ftparchive packages . > Packages")
    source = "deb [trusted=yes] file:/root/next ./\n"
    host.run("tee", "/etc/apt/sources.list.d/next.list", input=source)
    host.run("apt-get", "-q", "update")
