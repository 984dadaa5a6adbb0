"""Who a process is, and what a unit uses, from samples of both kinds of control groups."""

from __future__ import annotations

import pytest

from opmas.host.cgroups import Cgroups, Usage, agent_in

SLICE = "/opmas.slice/opmas-agents.slice"


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        (f"0::{SLICE}/opmas-agent@web-2.service\n", "web-2"),
        (f"0::{SLICE}/opmas-agent@web.service/inner/group\n", "web"),
        (f"4:memory:/x\n1:name=systemd:{SLICE}/opmas-agent@web.service\n0::/\n", "web"),
        (f"1:name=systemd:/user.slice\n0::{SLICE}/opmas-agent@web.service\n", None),
        (f"0::/user.slice{SLICE}/opmas-agent@web.service\n", None),
        (f"0::{SLICE}/opmas-probe@web.service\n", None),
        (f"0::{SLICE}/opmas-agent@Web.service\n", None),
        (f"0::{SLICE}/evil.service/opmas-agent@web.service\n", None),
        (f"0::{SLICE}/opmas-agent@web.service.evil\n", None),
        ("0::/system.slice/opmas-manager.service\n", None),
        ("", None),
    ],
)
def test_only_the_unit_below_the_slice_of_agents_says_who_it_is(text, agent):
    assert agent_in(text) == agent


def test_usage_is_read_from_version_2(tmp_path):
    group = tmp_path / SLICE[1:] / "opmas-agent@web.service"
    group.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (group / "memory.current").write_text("4096\n")
    (group / "pids.current").write_text("3\n")
    (group / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")

    assert Cgroups(tmp_path).usage("web") == Usage(4096, 3, 1.5)


def test_usage_is_read_from_version_1(tmp_path):
    for controller, file, text in (
        ("memory", "memory.usage_in_bytes", "4096\n"),
        ("pids", "pids.current", "3\n"),
        ("cpuacct", "cpuacct.usage", "1500000000\n"),
    ):
        group = tmp_path / controller / SLICE[1:] / "opmas-agent@web.service"
        group.mkdir(parents=True)
        (group / file).write_text(text)

    assert Cgroups(tmp_path).usage("web") == Usage(4096, 3, 1.5)


@pytest.mark.parametrize("version", ["cgroup.controllers", "nothing"])
def test_what_is_not_there_is_unknown(tmp_path, version):
    (tmp_path / version).touch()

    assert Cgroups(tmp_path).usage("web") == Usage()
