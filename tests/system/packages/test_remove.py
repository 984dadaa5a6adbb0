"""Removing and purging: what stops, what stays, and that a purge leaves nothing."""

import json
from pathlib import Path

import pytest

from tests.lab import Host, wait_for
from tests.system.install import NAMES, apt, create_agent, install

AGENT = "opmas-agent@hostwatch.service"
DROP_IN = f"/etc/systemd/system/{AGENT}.d/50-opmas.conf"
# Kind, owner, mode and content of every file of the host's disk, but what apt, dpkg, systemd and
# ldconfig write for themselves whatever is installed.
LISTING = """
import hashlib, json, os
OTHERS = {
    "/root/debs", "/var/cache/apt", "/var/cache/debconf", "/var/cache/ldconfig", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/systemd", "/var/log", "/tmp", "/var/tmp",
}
found = {}
for directory, names, files in os.walk("/"):
    names[:] = [
        name for name in names
        if (path := os.path.join(directory, name)) not in OTHERS and not os.path.ismount(path)
    ]
    for path in (os.path.join(directory, name) for name in names + files):
        seen = os.lstat(path)
        found[path] = [seen.st_mode, seen.st_uid, seen.st_gid]
        if os.path.islink(path):
            found[path].append(os.readlink(path))
        elif os.path.isfile(path):
            found[path].append(hashlib.md5(open(path, "rb").read()).hexdigest())
print(json.dumps(found))
"""
# Users and groups stay, as on Debian: files elsewhere may be theirs. "-" is the copy before.
USERS = {
    f"/etc/{name}{end}" for name in ("passwd", "group", "shadow", "gshadow") for end in ("", "-")
}


def listing(host: Host) -> dict[str, object]:
    files: dict[str, object] = json.loads(host.run("python3", "-", input=LISTING).stdout)
    return files


def use(host: Host) -> None:
    """Leave traces: an agent that ran, a token, a request, an event."""
    create_agent(host)
    host.run("opmas", "token", "create", "someone")
    host.run("curl", "-sS", "--fail", "http://127.0.0.1:8420/v1/health")
    host.run("touch", "/etc/opmas/trusted-keys.d/someone.pub", "/var/lib/opmas/bundles/x.opmas")
    host.run("touch", "/var/cache/opmas/x.deb")


@pytest.fixture
def host(installed_host: Host) -> Host:
    """A host on which OPMAS was used."""
    use(installed_host)
    return installed_host


def units(host: Host) -> str:
    return host.run("systemctl", "list-units", "--plain", "--no-legend", "opmas*").stdout


def test_a_removal_stops_all_and_what_comes_back_runs_as_before(debs: Path, host: Host) -> None:
    apt(host, "remove", *NAMES)
    processes = host.run("pgrep", "-f", "/usr/lib/opmas", check=False).stdout
    left = units(host)
    kept = host.run("ls", DROP_IN, "/var/lib/opmas/manager.db", "/etc/opmas/opmas.yaml")
    runtime = host.run("ls", "/run/opmas", check=False)
    state = host.run("systemctl", "is-system-running").stdout

    install(host, debs)

    assert (processes, left) == ("", "")
    assert kept.returncode == 0
    assert runtime.returncode != 0
    assert state == "running\n"
    wait_for(
        lambda: host.run("systemctl", "is-active", AGENT, check=False).stdout == "active\n",
        20, "the agent to run again",
    )  # fmt: skip


def test_a_purge_leaves_nothing(debs: Path, bare_host: Host) -> None:
    before = listing(bare_host)
    install(bare_host, debs)
    use(bare_host)

    apt(bare_host, "purge", *NAMES)

    after = listing(bare_host)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed - USERS == set()
    assert bare_host.run("dpkg", "--audit").stdout == ""


def test_a_purge_leaves_an_admins_own_drop_in(host: Host) -> None:
    own = Path(DROP_IN).with_name("90-mine.conf")
    host.run("sh", "-c", f"printf '[Service]\\nNice=7\\n' > {own}")

    apt(host, "purge", *NAMES)

    assert host.run("ls", str(own.parent)).stdout == f"{own.name}\n"


def test_a_purge_lets_go_of_what_was_held_for_a_rollback(host: Host) -> None:
    host.run("apt-mark", "hold", "opmas-agent-hostwatch")

    apt(host, "purge", "opmas", "opmas-api", "opmas-manager")

    wait_for(lambda: host.run("apt-mark", "showhold").stdout == "", 20, "no hold left")


def test_the_api_goes_alone(host: Host) -> None:
    apt(host, "purge", "opmas", "opmas-api")

    assert "opmas-api" not in units(host)
    assert host.run("ls", "/var/lib/opmas-api", check=False).returncode != 0
    assert host.run("systemctl", "is-active", AGENT).stdout == "active\n"
