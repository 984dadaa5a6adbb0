"""Snapshots of what real agents keep, rehearsals of real units, in the worker's sandbox."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host, wait_for
from tests.system.work.jobs import done, put_job, result_of, run_job

numbers = count(1000)
UNIT = "opmas-agent@keeper.service"
STATE = "/var/lib/opmas-agents/keeper"
PRIVATE = "/var/lib/private/opmas-agents"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/50-opmas.conf"
PROGRAM = "/usr/lib/keeper/keeper"
DIRECTORY = "/usr/lib/keeper"
MANIFEST = """
api: opmas.agent/v1
name: keeper
version: "1.0"
summary: keeps
runtime: exec
command: [./keeper]
"""
AGENT = """#!/bin/sh
cd "$STATE_DIRECTORY"
mkdir -p data
[ -e data/log ] || echo first > data/log
ln -sf /etc/passwd data/link
exec sleep 1000
"""
# Owner, mode, times, links and contents of all; a user's number, as names come and go.
LOOK = f"cd {STATE} && find . -printf '%p %y %m %U:%G %T@ %l\\n' | sort; cat data/log"


@pytest.fixture(scope="module")
def host(work_host: Host) -> Iterator[Host]:
    """A host with the unit of an agent that nobody manages: the manager is not asked here."""
    work_host.run("systemctl", "stop", "opmas-manager.service")
    write(work_host, PROGRAM, AGENT, "755")
    write(work_host, f"{DIRECTORY}/agent.yaml", MANIFEST)
    yield work_host
    work_host.run("systemctl", "stop", UNIT)
    work_host.run("rm", "-r", str(Path(DROP_IN).parent))
    work_host.run("systemctl", "start", "opmas-manager.service")


@pytest.fixture(params=["dynamic", "static"])
def agent(host: Host, request: pytest.FixtureRequest) -> Iterator[Host]:
    """The host with an agent that has run: as the template has it, and with an admin's drop-in."""
    static = "\nDynamicUser=no" if request.param == "static" else ""
    declare(host, f"User={'daemon' if static else '_opmas-keeper'}{static}")
    host.run("systemctl", "start", UNIT)
    wait_for(lambda: not host.run("test", "-L", f"{STATE}/data/link", check=False).returncode,
             10, "the agent has written")  # fmt: skip
    host.run("systemctl", "stop", UNIT)
    yield host
    host.run("systemctl", "clean", "--what=state", UNIT)


def write(host: Host, path: str, text: str, mode: str = "644") -> None:
    host.run("install", "-D", "-m", mode, "/dev/stdin", path, input=text)


def declare(host: Host, *lines: str) -> None:
    own = "\n".join(lines)
    text = f"[Service]\nType=exec\nExecStart=\nExecStart={PROGRAM}\n{own}\n"
    write(host, DROP_IN, text)
    host.run("systemctl", "daemon-reload")


def name() -> str:
    return f"{next(numbers)}-1"


def look(host: Host) -> str:
    return host.run("sh", "-c", LOOK).stdout


def rehearse(host: Host, **changed: Any) -> dict[str, Any]:
    params = {
        "agent": "keeper",
        "directory": DIRECTORY,
        "python": "/usr/bin/python3",
        "runtime": "exec",
        "command": ["./keeper"],
        "entry": "",
        "unit": UNIT,
    }
    return run_job(host, name(), "rehearse", **{**params, **changed})


def test_what_an_agent_keeps_comes_back_exactly(agent: Host) -> None:
    before = look(agent)
    done(agent, name(), "snapshot", agent="keeper", snapshot="exact")
    agent.run("sh", "-c", f"cd {STATE}; echo more >> data/log; rm data/link; mkfifo pipe; touch x")

    done(agent, name(), "restore", agent="keeper", snapshot="exact")

    done(agent, name(), "discard", snapshot="exact")
    assert look(agent) == before


def test_an_agent_goes_on_with_what_came_back(agent: Host) -> None:
    done(agent, name(), "snapshot", agent="keeper", snapshot="on")
    agent.run("sh", "-c", f"rm -r {STATE}/data; touch {STATE}/data")
    done(agent, name(), "restore", agent="keeper", snapshot="on")

    agent.run("systemctl", "start", UNIT)

    log = agent.run("cat", f"{STATE}/data/log").stdout
    agent.run("systemctl", "stop", UNIT)
    done(agent, name(), "discard", snapshot="on")
    assert log == "first\n"


def test_attributes_and_acls_come_back(agent: Host) -> None:
    agent.run("python3", "-c", _SET_ATTRIBUTES, f"{STATE}/data/log")
    done(agent, name(), "snapshot", agent="keeper", snapshot="acl")
    agent.run("sh", "-c", f"rm {STATE}/data/log")

    done(agent, name(), "restore", agent="keeper", snapshot="acl")

    found = agent.run("python3", "-c", _GET_ATTRIBUTES, f"{STATE}/data/log").stdout
    done(agent, name(), "discard", snapshot="acl")
    assert json.loads(found) == ["system.posix_acl_access", "user.note"]


def test_a_worker_that_is_killed_leaves_the_old_state_or_the_new(agent: Host) -> None:
    agent.run("sh", "-c", f"head -c 100M /dev/urandom > {STATE}/data/big")
    before = agent.run("sha256sum", f"{STATE}/data/big").stdout
    done(agent, name(), "snapshot", agent="keeper", snapshot="kill")
    agent.run("sh", "-c", f"echo small > {STATE}/data/big")
    job = name()
    unit = put_job(agent, job, "restore", agent="keeper", snapshot="kill")
    agent.run("systemctl", "start", "--no-block", unit)
    half = ".keeper.opmas/data/big"
    begun = f"ls {PRIVATE}/{half} {STATE}/../{half}"
    wait_for(lambda: agent.run("sh", "-c", begun, check=False).stdout, 20, "the copy grows")

    agent.run("systemctl", "kill", "--signal=KILL", unit)
    killed = agent.run("cat", f"{STATE}/data/big").stdout
    wait_for(lambda: is_over(agent, unit), 10, "the unit is over")
    agent.run("systemctl", "start", unit)

    assert killed == "small\n"
    assert result_of(agent, job)["ok"]
    assert agent.run("sha256sum", f"{STATE}/data/big").stdout == before
    assert (
        ".keeper"
        not in agent.run("sh", "-c", f"ls -A {STATE}/.. /var/lib/private/opmas-agents").stdout
    )
    done(agent, name(), "discard", snapshot="kill")


def test_a_good_unit_passes_its_rehearsal(host: Host) -> None:
    declare(host, "User=_opmas-keeper")

    outcome = rehearse(host)

    assert outcome["ok"], outcome


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ExecStart=/bin/true", "has more than one ExecStart= setting"),
        ("ExecStart=", "Service has no ExecStart="),
        ("ExecStart=\nExecStart=/nothere", "Command /nothere is not executable"),
        ("Type=forking\nExecStart=\nExecStart=/etc/passwd", "Permission denied"),
    ],
)
def test_a_unit_that_systemd_would_refuse_is_named(host: Host, line: str, said: str) -> None:
    declare(host, line)

    outcome = rehearse(host)

    assert outcome["code"] == "invalid-value"
    assert any(said in problem and UNIT in problem for problem in outcome["problems"]), outcome


def test_what_systemd_only_ignores_is_no_reason(host: Host) -> None:
    declare(host, "User=_opmas-keeper", "Frobnicate=yes")

    assert rehearse(host)["ok"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"directory": "/nothere"}, "/nothere is not there"),
        ({"command": ["./nothere"]}, f"{DIRECTORY}/nothere is not there"),
        ({"command": ["./agent.yaml"]}, "is no program that can be run"),
        ({"runtime": "python", "entry": "none:Agent"}, "there is no module none"),
        ({"runtime": "python", "entry": "k:A", "python": "/nothere"}, "/nothere is not there"),
        (
            {"runtime": "python", "entry": "k:A", "python": "/bin/false"},
            "cannot import opmas.agent",
        ),
    ],
)
def test_what_could_not_start_is_named(host: Host, changed: dict[str, Any], said: str) -> None:
    declare(host, "User=_opmas-keeper")

    outcome = rehearse(host, **changed)

    assert any(said in problem for problem in outcome["problems"]), outcome


def is_over(host: Host, unit: str) -> bool:
    return host.run("systemctl", "show", "-P", "ActiveState", unit).stdout.strip() == "inactive"


# An ACL as the kernel has it: version 2; owner, user 1, group, mask, others. No setfacl is needed.
_SET_ATTRIBUTES = """
import os, struct, sys
rows = [(1, 6, -1), (2, 4, 1), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *row) for row in rows)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
os.setxattr(sys.argv[1], "user.note", b"kept")
"""
_GET_ATTRIBUTES = """
import json, os, sys
names = sorted(n for n in os.listxattr(sys.argv[1]) if not n.startswith("security."))
print(json.dumps(names))
"""
