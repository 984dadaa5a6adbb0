"""An agent that tries to harm: its neighbours, the manager and the admin's terminal."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.lab import wait_for
from tests.system.manager.opmas import Opmas

if TYPE_CHECKING:
    from tests.lab import Host

HOSTILE = Path(__file__).with_name("hostile")
FOUND = "/var/lib/private/opmas-agents/hostile/found.json"
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    """OPMAS with the agent victim, and the agent hostile that has done all it could."""
    host = shared_host
    host.copy_in(HOSTILE, "/srv/agents/hostile")
    settings = "manager:\n  packages_path: [/usr/lib/opmas/agents, /srv/agents]\n"
    (host.root / "etc/opmas/opmas.yaml").write_text(settings)
    host.run("systemctl", "restart", "opmas-manager")
    opmas = Opmas(host)
    opmas.up()
    opmas.create("victim", "hostwatch")
    opmas.create("hostile", "hostile")
    wait_for(
        lambda: host.run("test", "-e", FOUND, check=False).returncode == 0, 20, "it has tried"
    )
    return opmas


def test_nothing_of_others_is_open_to_it_and_its_processes_are_itself(opmas: Opmas):
    found = json.loads(opmas.host.run("cat", FOUND).stdout)

    assert found == {
        "control socket": "refused",
        "manager's state": "refused",
        "victim's credential": "refused",
        "victim's state": "refused",
        "other processes": "set()",
        "signal to others": "refused",
        "victim's group": "refused",
        "who": "hostile",
        "orphan": "hostile",
    }
    assert opmas.property("opmas-agent@hostile", "MainPID") != "1"


def test_the_manager_serves_on_whatever_it_was_sent(opmas: Opmas):
    pid = opmas.property("opmas-manager", "MainPID")
    began_at = time.monotonic()

    view = opmas.show("victim")

    took = time.monotonic() - began_at
    files = opmas.host.run("ls", f"/proc/{pid}/fd").stdout.split()
    assert (view["phase"], took < 5, len(files) < 60) == ("running", True, True)
    assert opmas.property("opmas-manager", "NRestarts") == "0"


def test_what_clients_read_is_strict_json(opmas: Opmas):
    documents = [
        opmas.run("events", "--lines", "1000", "--json").stdout,
        opmas.run("agent", "show", "hostile", "--json").stdout,
    ]

    read = [json.loads(text, parse_constant=refuse) for text in documents]

    assert all(json.dumps(document, ensure_ascii=False).encode() for document in read)
    assert any(e["type"] == "opmas.agent.refused" for e in read[0]["events"])


@pytest.mark.parametrize(
    "command",
    [
        ("opmas", "status"),
        ("opmas", "agent", "list"),
        ("opmas", "agent", "show", "hostile"),
        ("opmas", "agent", "explain", "hostile"),
        ("opmas", "events", "--lines", "100"),
        ("journalctl", "--no-pager", "-u", "opmas-agent@hostile"),
        ("journalctl", "--no-pager", "-u", "opmas-manager"),
    ],
    ids=" ".join,
)
def test_what_an_agent_says_never_drives_a_terminal(opmas: Opmas, command: tuple[str, ...]):
    shown = opmas.host.run(*command, check=False).stdout

    assert shown
    assert ESCAPE not in shown


def test_it_cannot_write_into_the_log_of_another(opmas: Opmas):
    log = opmas.host.run("journalctl", "--no-pager", "-u", "opmas-agent@victim").stdout

    assert "forged" not in log


def test_strangers_on_the_agents_socket_hold_nothing(opmas: Opmas):
    script = (
        "import socket\n"
        "held = []\n"
        "for _ in range(2000):\n"
        "    plug = socket.socket(socket.AF_UNIX); plug.connect('/run/opmas/agent.sock')\n"
        "    held = held[-500:] + [plug]\n"
        "print(held[0].recv(1))\n"
    )
    done = opmas.host.run("runuser", "-u", "nobody", "--", "python3", "-c", script)

    pid = opmas.property("opmas-manager", "MainPID")
    assert done.stdout.strip() == "b''"
    assert len(opmas.host.run("ls", f"/proc/{pid}/fd").stdout.split()) < 60
    assert opmas.show("victim")["phase"] == "running"


def test_it_stops_although_it_does_not_want_to(opmas: Opmas):
    opmas.run("agent", "stop", "hostile")

    assert opmas.show("hostile")["phase"] in {"stopped", "failed"}


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)
