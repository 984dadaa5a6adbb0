"""The sandbox from inside, under a real systemd: closed, and opened only by what was granted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opmas.core.agent.terms import AgentSpec, Limits
from opmas.core.package.manifest import Manifest, parse_manifest
from opmas.core.package.needs import needs_of
from opmas.core.unit.file import Place, render_dropin, render_probe_dropin
from tests.lab import Host, wait_for

ROOT = Path(__file__).parents[3]
LOOK = "/opt/look/look.py"
UNMAPPED = 65534  # how another group looks in a user namespace of one's own; its rights hold
CAP_CHOWN, CAP_NET_RAW = 0, 13  # linux/capability.h
PREPARE = """
chmod 755 /opt /opt/look
mkdir -m 777 /srv/out /home/www /root/share /tmp/share
echo page > /home/www/page; echo note > /root/share/note; echo note > /tmp/share/note
echo secret > /var/log/secret; chown root:adm /var/log/secret; chmod 640 /var/log/secret
systemctl daemon-reload
systemd-run --unit=web /usr/bin/python3 -m http.server --bind 127.0.0.1 9100
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host with our units, things to find, and a server on its loopback interface."""
    with Host.up("sandbox") as host:
        for unit in ("opmas-agent@.service", "opmas-probe@.service", "opmas-agents.slice"):
            host.copy_in(ROOT / "units" / unit, f"/etc/systemd/system/{unit}")
        host.copy_in(Path(__file__).parent / "look.py", LOOK)
        host.run("sh", "-euc", PREPARE)
        wait_for(lambda: is_served(host), 10, "the server on the loopback interface")
        yield host


@pytest.fixture(scope="module")
def closed(host: Host) -> dict[str, Any]:
    """What an agent sees that asks for nothing."""
    return look(host, "closed", {})


def is_served(host: Host) -> bool:
    return not host.run("curl", "-sf", "http://127.0.0.1:9100/", check=False).returncode


def exec_manifest(**changed: Any) -> Manifest:
    return parse_manifest(
        {
            "api": "opmas.agent/v1",
            "name": "look",
            "version": "1.0",
            "summary": "looks around",
            "runtime": "exec",
            "command": ["/usr/bin/python3", LOOK],
            **changed,
        },
        where="agent.yaml",
    )


def declare(host: Host, name: str, manifest: Manifest, **spec: Any) -> str:
    """Write the files that the manager writes; the name of the agent's unit."""
    config = f"/var/lib/opmas/agents/{name}/config.json"
    place = Place("/opt/look", config)
    granted = AgentSpec(
        name, "look", **{"grants": tuple(need.name for need in needs_of(manifest)), **spec}
    )
    write(host, config, json.dumps({"agent": name}))
    units = {f"opmas-agent@{name}.service": render_dropin(granted, manifest, place)}
    if manifest.health_check:
        units[f"opmas-probe@{name}.service"] = render_probe_dropin(granted, manifest, place)
    for unit, text in units.items():
        write(host, f"/etc/systemd/system/{unit}.d/50-opmas.conf", text)
    return f"opmas-agent@{name}.service"


def write(host: Host, path: str, text: str) -> None:
    host.run("sh", "-c", 'mkdir -p "${1%/*}" && cat > "$1"', "sh", path, input=text)


def look(host: Host, name: str, sandbox: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """What an agent with that sandbox, all of it granted unless `spec` says otherwise, sees."""
    host.run("systemctl", "start", declare(host, name, exec_manifest(sandbox=sandbox), **spec))
    return seen(host, name)


def seen(host: Host, name: str) -> dict[str, Any]:
    path = f"/var/lib/private/opmas-agents/{name}/seen.json"
    read = wait_for(
        lambda: host.run("cat", path, check=False).stdout or None, 10, f"what agent {name} saw"
    )
    found: dict[str, Any] = json.loads(read)
    return found


def shown(host: Host, unit: str, *properties: str) -> dict[str, str]:
    said = host.run("systemctl", "show", unit, f"--property={','.join(properties)}").stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def test_an_agent_that_asks_for_nothing_has_nothing_but_its_own(closed: dict[str, Any]) -> None:
    assert closed == {
        "root": False,
        "groups": [],
        "capabilities": 0,
        "bounding": 0,
        "interfaces": ["lo"],
        "sockets": ["AF_UNIX"],
        "host loopback": "EAFNOSUPPORT",
        "bus": "EACCES",
        "other processes": [],
        "proc": [],
        "writes": [],
        "reads": [],
        "own state": None,
        "own runtime": None,
        "own tmp": None,
        "config": '{"agent": "closed"}',
        "gives a file away": "EPERM",
        "becomes root": "EPERM",
        "new namespace": "EPERM",
        "code in writable memory": "EPERM",
        "kernel setting": "ENOENT",
        "arguments": [],
    }


@pytest.mark.parametrize(
    ("name", "sandbox", "opened"),
    [
        ("observe", {"network": "observe"}, {"sockets": ["AF_UNIX", "AF_NETLINK"]}),
        (
            "loopback",
            {"network": "loopback"},
            {"sockets": ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"], "host loopback": None},
        ),
        (
            "full",
            {"network": "full"},
            {"sockets": ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"], "host loopback": None},
        ),
        (
            "proc",
            {"proc": "host"},
            {"proc": ["stat", "meminfo", "diskstats"], "kernel setting": "EROFS"},
        ),
        ("bus", {"bus": True}, {"bus": None}),
        ("home", {"read": ["/home/www"]}, {"reads": ["/home/www/page"]}),
        ("rootsown", {"read": ["/root/share"]}, {"reads": ["/root/share/note"]}),
        ("tmp", {"read": ["/tmp/share"]}, {"reads": ["/tmp/share/note"]}),
        ("srv", {"write": ["/srv/out"]}, {"writes": ["/srv/out"]}),
        (
            "homes",
            {"write": ["/home/www"]},
            {"writes": ["/home/www"], "reads": ["/home/www/page"]},
        ),
        (
            "roots",
            {"write": ["/root/share"]},
            {"writes": ["/root/share"], "reads": ["/root/share/note"]},
        ),
        ("missing", {"read": ["/home/no"], "write": ["/srv/no"]}, {}),
        ("group", {"groups": ["adm"]}, {"groups": [UNMAPPED], "reads": ["/var/log/secret"]}),
        (
            "raw",
            {"capabilities": ["CAP_NET_RAW"]},
            {
                "capabilities": 1 << CAP_NET_RAW,
                "bounding": 1 << CAP_NET_RAW,
                "sockets": ["AF_UNIX", "AF_PACKET"],
            },
        ),
        (
            "chown",
            {"capabilities": ["CAP_CHOWN"]},
            {
                "capabilities": 1 << CAP_CHOWN,
                "bounding": 1 << CAP_CHOWN,
                "gives a file away": None,
            },
        ),
    ],
)
def test_a_need_that_was_granted_opens_what_it_names_and_nothing_else(
    host: Host, closed: dict[str, Any], name: str, sandbox: dict[str, Any], opened: dict[str, Any]
) -> None:
    found = look(host, name, sandbox)

    assert found == {**closed, "config": f'{{"agent": "{name}"}}', **opened}


def test_an_agent_sees_the_host_s_interfaces_only_when_it_may_observe_them(host: Host) -> None:
    host.run("ip", "link", "add", "seen0", "type", "bridge")

    hidden = look(host, "blind", {})
    observed = look(host, "observer", {"network": "observe"})

    host.run("ip", "link", "del", "seen0")
    assert hidden["interfaces"] == ["lo"]
    assert "seen0" in observed["interfaces"]


def test_what_was_not_granted_stays_closed(host: Host, closed: dict[str, Any]) -> None:
    wishes = {
        "network": "full",
        "proc": "host",
        "bus": True,
        "read": ["/home/www"],
        "write": ["/srv/out"],
        "groups": ["adm"],
        "capabilities": ["CAP_SYS_ADMIN"],
    }

    found = look(host, "refused", wishes, grants=())

    assert found == {**closed, "config": '{"agent": "refused"}'}


def test_arguments_and_paths_arrive_as_they_were_written(host: Host) -> None:
    words = [
        "a b",
        '"',
        "'",
        "\\",
        "\\n",
        "%i",
        "%%",
        "$HOME",
        "${HOME}",
        "$$",
        ";",
        "",
        "# c",
        "\u00e9",
    ]
    odd = "/srv/%n $HOME ;{1,2}=\u00e9"
    host.run("mkdir", "-m", "777", odd)
    manifest = exec_manifest(
        command=["/usr/bin/python3", LOOK, *words],
        summary='100% of "it" \\ $HOME; %n',
        sandbox={"write": [odd], "read": ["/home/with space"]},
    )

    unit = declare(host, "words", manifest)
    host.run("systemctl", "start", unit)

    assert seen(host, "words")["arguments"] == words
    assert shown(host, unit, "Description", "ReadWritePaths", "BindReadOnlyPaths") == {
        "Description": 'OPMAS agent words: 100% of "it" \\ $HOME; %n (look 1.0)',
        "ReadWritePaths": f'"-{odd}"'.replace("$", "\\$"),  # as systemctl quotes it
        "BindReadOnlyPaths": "/var/lib/opmas/agents/words/config.json"
        ":/run/opmas-credentials/config.json:rbind -/home/with space:/home/with space:rbind",
    }


def test_an_agent_that_nobody_declared_fails_at_once_and_says_what_to_do(host: Host) -> None:
    started = host.run("systemctl", "start", "opmas-agent@nobody.service", check=False)

    state = shown(host, "opmas-agent@nobody.service", "ActiveState", "NRestarts", "ExecMainStatus")
    status = host.run("systemctl", "status", "opmas-agent@nobody.service", check=False).stdout
    assert started.returncode != 0
    assert state == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "78"}
    assert "agent nobody is not declared: create it with: opmas agent create nobody" in status


def test_the_limits_in_force_are_the_agent_s(host: Host) -> None:
    manifest = exec_manifest(
        command=["/usr/bin/sleep", "1000"], limits={"memory_max": "64M", "tasks_max": 16}
    )
    unit = declare(
        host, "limited", manifest, limits=Limits(cpu_quota=20, cpu_weight=7, io_weight=9)
    )

    host.run("systemctl", "start", unit)

    limits = shown(
        host,
        unit,
        "MemoryMax",
        "MemoryHigh",
        "TasksMax",
        "CPUQuotaPerSecUSec",
        "CPUWeight",
        "IOWeight",
        "Slice",
    )
    host.run("systemctl", "stop", unit)
    assert limits == {
        "MemoryMax": str(64 << 20),
        "MemoryHigh": str(48 << 20),
        "TasksMax": "16",
        "CPUQuotaPerSecUSec": "200ms",
        "CPUWeight": "7",
        "IOWeight": "9",
        "Slice": "opmas-agents.slice",
    }


@pytest.mark.parametrize(("name", "ending", "fails"), [("well", 0, False), ("ill", 3, True)])
def test_a_health_check_works_on_its_agent_s_files_and_leaves_nothing(
    host: Host, name: str, ending: int, fails: bool
) -> None:
    check = 'test -O "$STATE_DIRECTORY/mine" && test -e /tmp/mine && exit "$0"; exit 9'
    manifest = exec_manifest(
        command=["/bin/sh", "-c", 'touch "$STATE_DIRECTORY/mine" /tmp/mine; exec sleep 1000'],
        health_check={"command": ["/bin/sh", "-c", check, str(ending)]},
    )
    unit = declare(host, name, manifest)
    host.run("systemctl", "start", unit)
    private = f"/var/lib/private/opmas-agents/{name}/mine"
    wait_for(lambda: not host.run("test", "-e", private, check=False).returncode, 10, "its files")

    ended = host.run("systemctl", "start", f"opmas-probe@{name}.service", check=False)

    logged = host.run("journalctl", "-u", f"opmas-probe@{name}.service", "-o", "cat").stdout
    failed = host.run("systemctl", "list-units", "--failed", "--plain", "opmas-probe@*").stdout
    state = shown(host, unit, "ActiveState", "NRestarts")
    host.run("systemctl", "stop", unit)
    assert (ended.returncode != 0, "status=3" in logged) == (fails, fails)
    assert f"opmas-probe@{name}.service" not in failed
    assert state == {"ActiveState": "active", "NRestarts": "0"}


def test_a_health_check_that_hangs_is_ended_in_time_and_leaves_no_failed_unit(host: Host) -> None:
    manifest = exec_manifest(
        command=["/usr/bin/sleep", "1000"],
        health_check={"command": ["/usr/bin/sleep", "1000"], "timeout": 1},
    )
    unit = declare(host, "hanging", manifest)
    host.run("systemctl", "start", unit)

    ended = host.run("systemctl", "start", "opmas-probe@hanging.service", check=False)

    failed = host.run("systemctl", "list-units", "--failed", "--plain", "opmas-probe@*").stdout
    host.run("systemctl", "stop", unit)
    assert ended.returncode != 0
    assert "opmas-probe@hanging.service" not in failed


def test_starting_a_newly_declared_agent_needs_no_daemon_reload(host: Host) -> None:
    unit = declare(host, "newcomer", exec_manifest())

    host.run("systemctl", "start", unit)

    assert seen(host, "newcomer")["config"] == '{"agent": "newcomer"}'
    assert shown(host, unit, "NeedDaemonReload") == {"NeedDaemonReload": "no"}
