"""Installing: what runs afterwards, and that agent packages are found in any order."""

import json
from pathlib import Path
from typing import Any

from tests.lab import Host, wait_for
from tests.system.install import FOUND_WITHIN, apt, install

INSTALLED_WITHIN = 20.0
# An agent package, and the Debian package that carries its bundle.
CLOCK = """
api: opmas.agent/v1
name: clock
version: 1.0.0
summary: writes the time to the journal
runtime: exec
command: [/bin/sh, -c, "while date; do sleep 60; done"]
"""
CLOCK_DEB = "/root/opmas-agent-clock_1.0.0_all.deb"


def packages(host: Host) -> list[str]:
    document: Any = json.loads(host.run("opmas", "package", "list", "--json").stdout)
    return [package["name"] for package in document["packages"]]


def make_clock(host: Host) -> None:
    host.run("mkdir", "/root/clock")
    host.run("tee", "/root/clock/agent.yaml", input=CLOCK)
    host.run("opmas", "bundle", "deb", "/root/clock", "--unsigned", "--output", "/root")


def test_one_run_of_apt_brings_a_working_whole(shared_host: Host) -> None:
    active = shared_host.run("systemctl", "is-active", "opmas-manager.service", "opmas-api.socket")
    enabled = shared_host.run(
        "systemctl", "is-enabled", "opmas-manager.service", "opmas-api.socket"
    )
    health = shared_host.run("curl", "-sS", "--fail", "http://127.0.0.1:8420/v1/health")
    state = shared_host.run("systemctl", "is-system-running")
    audit = shared_host.run("dpkg", "--audit")

    assert active.stdout == "active\nactive\n"
    assert enabled.stdout == "enabled\nenabled\n"
    assert health.stdout
    assert state.stdout == "running\n"
    assert audit.stdout == ""


def test_an_agent_that_comes_in_the_same_run_as_the_manager_is_found(shared_host: Host) -> None:
    wait_for(lambda: "hostwatch" in packages(shared_host), FOUND_WITHIN, "hostwatch found")


def test_an_agent_that_comes_later_is_found(debs: Path, bare_host: Host) -> None:
    install(bare_host, debs, "opmas-manager", "python3-opmas-agent")
    before = packages(bare_host)

    install(bare_host, debs, "opmas-agent-hostwatch")

    assert before == []
    assert packages(bare_host) == ["hostwatch"]


def test_an_agent_that_comes_while_the_manager_is_down_is_found_at_its_start(
    debs: Path, bare_host: Host
) -> None:
    install(bare_host, debs, "opmas-manager", "python3-opmas-agent")
    bare_host.run("systemctl", "stop", "opmas-manager")

    install(bare_host, debs, "opmas-agent-hostwatch")
    audit = bare_host.run("dpkg", "--audit")
    bare_host.run("systemctl", "start", "opmas-manager")

    assert audit.stdout == ""
    assert packages(bare_host) == ["hostwatch"]


def test_a_bundle_that_comes_in_a_deb_is_installed(debs: Path, bare_host: Host) -> None:
    install(bare_host, debs, "opmas-manager", "python3-opmas-agent")
    make_clock(bare_host)

    apt(bare_host, "install", CLOCK_DEB)

    wait_for(lambda: packages(bare_host) == ["clock"], INSTALLED_WITHIN, "clock installed")
    assert bare_host.run("opmas", "agent", "create", "clock").returncode == 0


def test_a_bundle_that_comes_while_the_manager_is_down_is_installed_at_its_start(
    debs: Path, bare_host: Host
) -> None:
    install(bare_host, debs, "opmas-manager", "python3-opmas-agent")
    make_clock(bare_host)
    bare_host.run("systemctl", "stop", "opmas-manager")

    apt(bare_host, "install", CLOCK_DEB)
    bare_host.run("systemctl", "start", "opmas-manager")

    wait_for(lambda: packages(bare_host) == ["clock"], INSTALLED_WITHIN, "clock installed")


def test_an_agent_package_that_goes_is_missed(installed_host: Host) -> None:
    wait_for(lambda: "hostwatch" in packages(installed_host), FOUND_WITHIN, "hostwatch found")

    apt(installed_host, "remove", "opmas-agent-hostwatch")

    assert packages(installed_host) == []
    assert installed_host.run("dpkg", "--audit").stdout == ""


def test_a_manager_that_hangs_does_not_hold_up_apt(debs: Path, bare_host: Host) -> None:
    install(bare_host, debs, "opmas-manager", "python3-opmas-agent")
    bare_host.run("systemctl", "kill", "--signal=STOP", "opmas-manager")

    install(bare_host, debs, "opmas-agent-hostwatch")

    assert bare_host.run("dpkg", "--audit").stdout == ""


def test_the_control_socket_is_for_root_and_the_group_opmas(shared_host: Host) -> None:
    shown = shared_host.run("stat", "-c", "%U:%G %a", "/run/opmas/manager.sock")
    members = shared_host.run("getent", "group", "opmas")

    assert shown.stdout == "root:opmas 660\n"
    assert members.stdout.strip().endswith(":opmas-api")


def test_commands_complete_in_bash(shared_host: Host) -> None:
    script = (
        "source /usr/share/bash-completion/completions/opmas;"
        " COMP_WORDS=(opmas ag); COMP_CWORD=1; _opmas; echo ${COMPREPLY[@]}"
    )

    done = shared_host.run("bash", "-c", script)

    assert done.stdout == "agent\n"
