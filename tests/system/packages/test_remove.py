"""Removing and purging: what stops, what stays, and that a purge leaves nothing."""

from pathlib import Path

import pytest

from tests.lab import Host, wait_for
from tests.system.install import NAMES, apt, install

AGENT = "opmas-agent@hostwatch.service"
DROP_IN = f"/etc/systemd/system/{AGENT}.d/50-opmas.conf"
# What apt, dpkg and systemd write for themselves, whatever is installed.
OTHERS = (
    "/root/debs", "/var/cache/apt", "/var/cache/debconf", "/var/lib/apt", "/var/lib/dpkg",
    "/var/lib/systemd", "/var/log", "/tmp", "/var/tmp", "/etc/ld.so.cache",
)  # fmt: skip
# Users and groups stay, as on Debian: files elsewhere may be theirs. "-" is the copy before.
USERS = {
    f"/etc/{name}{end}" for name in ("passwd", "group", "shadow", "gshadow") for end in ("", "-")
}


def listing(host: Host) -> dict[str, str]:
    """Every file of the host's disk: its kind, mode and owner, and the sum of its content."""
    prune = " -o ".join(f"-path {path}" for path in OTHERS)
    rows = host.run(
        "sh", "-c",
        f"find / -xdev \\( {prune} \\) -prune -o ! -type f -printf '%p\\t%y%m %u %g %l\\n';"
        f" find / -xdev \\( {prune} \\) -prune -o -type f -print0 | xargs -0 md5sum"
        " | sed -E 's/^(.{32})  (.*)/\\2\\t\\1/'",
    ).stdout  # fmt: skip
    return dict(row.split("\t", 1) for row in rows.splitlines())


@pytest.fixture
def host(installed_host: Host) -> Host:
    """A host that runs the agent hostwatch, and has a token."""
    create = ("opmas", "agent", "create", "hostwatch", "--grant-all")
    wait_for(
        lambda: installed_host.run(*create, check=False).returncode == 0, 10, "hostwatch to run"
    )
    installed_host.run("opmas", "token", "create", "--name", "someone")
    installed_host.run("curl", "-sS", "--fail", "http://127.0.0.1:8420/v1/health")
    return installed_host


def units(host: Host) -> str:
    listed = host.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "opmas*")
    return listed.stdout


def test_a_removal_stops_all_and_keeps_what_was_configured(host: Host) -> None:
    apt(host, "remove", *NAMES)

    assert host.run("pgrep", "-f", "opmas", check=False).stdout == ""
    assert units(host) == ""
    assert host.run("ls", DROP_IN, "/var/lib/opmas/manager.db", "/etc/opmas").returncode == 0
    assert host.run("ls", "/run/opmas", check=False).returncode != 0
    assert host.run("systemctl", "is-system-running").stdout == "running\n"


def test_what_was_removed_and_comes_back_runs_as_before(debs: Path, host: Host) -> None:
    apt(host, "remove", *NAMES)

    install(host, debs)

    wait_for(
        lambda: host.run("systemctl", "is-active", AGENT, check=False).stdout == "active\n",
        20, "the agent to run again",
    )  # fmt: skip


def test_a_purge_leaves_nothing(debs: Path, bare_host: Host) -> None:
    before = listing(bare_host)
    install(bare_host, debs)
    create = ("opmas", "agent", "create", "hostwatch", "--grant-all")
    wait_for(lambda: bare_host.run(*create, check=False).returncode == 0, 10, "hostwatch to run")
    bare_host.run("opmas", "token", "create", "--name", "someone")
    bare_host.run("curl", "-sS", "--fail", "http://127.0.0.1:8420/v1/health")

    apt(bare_host, "purge", *NAMES)

    after = listing(bare_host)
    changed = {
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    }
    assert changed - USERS == set()
    assert bare_host.run("dpkg", "--audit").stdout == ""


def test_a_purge_leaves_an_admins_own_drop_in(host: Host) -> None:
    host.run("sh", "-c", f"printf '[Service]\\nNice=7\\n' > {Path(DROP_IN).parent}/90-mine.conf")

    apt(host, "purge", *NAMES)

    assert host.run("ls", str(Path(DROP_IN).parent)).stdout == "90-mine.conf\n"


def test_the_api_goes_alone(host: Host) -> None:
    apt(host, "purge", "opmas", "opmas-api")

    assert "opmas-api" not in units(host)
    assert host.run("ls", "/var/lib/opmas-api", check=False).returncode != 0
    assert host.run("systemctl", "is-active", AGENT).stdout == "active\n"
