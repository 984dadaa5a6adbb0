"""`opmas` as it is installed, with the real manager, systemd and journal."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from tests.system.install import create_agent

if TYPE_CHECKING:
    from tests.lab import Host

REFERENCE = Path(__file__).parents[3] / "docs/reference/json.md"
BLOCKS = re.findall(r"```json\n(.+?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
SCHEMAS = {schema["title"]: schema for schema in map(json.loads, BLOCKS)}


@pytest.fixture(scope="module")
def host(shared_host: Host) -> Host:
    """A host with the agent hostwatch, running."""
    create_agent(shared_host)
    return shared_host


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("status", "opmas.status/v1"),
        ("agent list", "opmas.agent-list/v1"),
        ("agent show hostwatch", "opmas.agent/v1"),
        ("agent explain hostwatch", "opmas.explanation/v1"),
        ("agent create other --package hostwatch --dry-run", "opmas.agent-plan/v1"),
        ("agent update hostwatch --limit tasks_max=20", "opmas.agent/v1"),
        ("agent start hostwatch", "opmas.agent-results/v1"),
        ("agent restart hostwatch", "opmas.agent-results/v1"),
        ("package list", "opmas.package-list/v1"),
        ("package show hostwatch", "opmas.package/v1"),
        ("package scan", "opmas.package-scan/v1"),
        ("events", "opmas.event-list/v1"),
        ("doctor", "opmas.doctor/v1"),
        ("version", "opmas.version/v1"),
        ("token create --name ci", "opmas.token-created/v1"),
        ("token list", "opmas.token-list/v1"),
        ("token revoke ci", "opmas.token/v1"),
    ],
)
def test_the_real_manager_gives_the_documented_shapes(host, words, name):
    done = host.run("opmas", *words.split(), "--json")

    jsonschema.validate(json.loads(done.stdout), SCHEMAS[name])


def test_an_update_keeps_what_it_does_not_name(host):
    host.run("opmas", "agent", "update", "hostwatch", "--limit", "memory_max=128M")
    host.run("opmas", "agent", "update", "hostwatch", "--limit", "tasks_max=24")
    host.run("opmas", "agent", "update", "hostwatch", "--limit", "memory_max=96M")

    shown = host.run("opmas", "agent", "show", "hostwatch", "--json")

    limits = json.loads(shown.stdout)["limits"]
    mib = 1024**2
    assert (limits["memory_max"], limits["memory_high"]) == (96 * mib, 72 * mib)
    assert limits["tasks_max"] == 24


def test_the_log_is_the_units(host):
    done = host.run("opmas", "agent", "logs", "hostwatch", "-n", "100")

    assert "Started opmas-agent@hostwatch.service" in done.stdout


def test_doctor_finds_a_fresh_installation_well(host):
    checks = json.loads(host.run("opmas", "doctor", "--json").stdout)["checks"]

    # a lab host takes the machine's clock and control groups
    unwell = {check["name"] for check in checks if check["status"] != "ok"}
    assert unwell <= {"clock", "cgroups"}


def test_doctor_says_what_is_wrong_while_the_manager_is_down(host):
    host.run("systemctl", "stop", "opmas-manager")

    done = host.run("opmas", "doctor", "--json", check=False)
    status = host.run("opmas", "status", check=False)
    host.run("systemctl", "start", "opmas-manager")

    failed = [check for check in json.loads(done.stdout)["checks"] if check["status"] == "failed"]
    assert (done.returncode, status.returncode) == (1, 4)
    assert {"unit of the manager", "manager"} <= {check["name"] for check in failed}
    assert "opmas-manager.service is inactive" in {check["found"] for check in failed}


def test_following_goes_on_over_a_restart_of_the_manager(host):
    with host.popen("opmas", "events", "--follow", "--json", "--after", "0") as follower:
        first = follower.stdout.readline()
        host.run("systemctl", "restart", "opmas-manager")
        host.run("opmas", "agent", "restart", "hostwatch")
        last = json.loads(host.run("opmas", "events", "--json", "-n", "1").stdout)["last"]
        lines = [first, *islice(follower.stdout, last - 1)]
        seen = [json.loads(line)["sequence"] for line in lines]
        follower.kill()

    assert seen == list(range(1, last + 1))


def test_the_installed_completion_offers_agents(host):
    script = (
        ". /usr/share/bash-completion/completions/opmas;"
        ' COMP_WORDS=(opmas agent show ho); COMP_CWORD=3; _opmas; echo "${COMPREPLY[@]}"'
    )

    assert host.run("bash", "-c", script).stdout == "hostwatch\n"
