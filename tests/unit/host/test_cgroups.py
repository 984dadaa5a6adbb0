"""Who a process is, and what a unit uses, from samples of both kinds of control groups."""

from __future__ import annotations

import os

import pytest

from opmas.host.cgroups import Cgroups, Memory, Usage, agent_in

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


def test_cpu_is_that_of_the_processes_where_version_1_has_no_group_for_it(tmp_path):
    group = tmp_path / "systemd" / SLICE[1:] / "opmas-agent@web.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(f"{os.getpid()}\n")

    seconds = Cgroups(tmp_path).usage("web").cpu_seconds

    assert seconds == pytest.approx(sum(os.times()[:4]), abs=0.5)


@pytest.mark.parametrize("version", ["cgroup.controllers", "nothing"])
def test_what_is_not_there_is_unknown(tmp_path, version):
    (tmp_path / version).touch()

    assert Cgroups(tmp_path).usage("web") == Usage()
    assert Cgroups(tmp_path).memory("web") == Memory()


def memory_files(tmp_path, version, **files):
    tree = tmp_path if version == 2 else tmp_path / "memory"
    group = tree / SLICE[1:] / "opmas-agent@web.service"
    group.mkdir(parents=True)
    if version == 2:
        (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    for name, text in files.items():
        (group / f"memory.{name}").write_text(text)


EVENTS = "low 0\nhigh 7\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n"


def test_memory_that_cannot_be_dropped_is_read_from_version_2(tmp_path):
    stat = "anon 4096\nfile 900000\nkernel 100\nshmem 1000\n"
    files = {"stat": stat, "swap.current": "4\n", "max": "268435456\n", "events": EVENTS}
    memory_files(tmp_path, 2, **files)

    assert Cgroups(tmp_path).memory("web") == Memory(5100, 268435456, 1, 7)


def test_memory_without_swap_and_without_a_limit_is_read_from_version_2(tmp_path):
    memory_files(tmp_path, 2, stat="anon 4096\n", max="max\n", events="oom_kill 0\n")

    assert Cgroups(tmp_path).memory("web") == Memory(4096, None, 0, 0)


@pytest.mark.parametrize(("limit", "known"), [(268435456, 268435456), (2**63 - 4096, None)])
def test_memory_is_read_from_version_1(tmp_path, limit, known):
    stat = "rss 1\ntotal_rss 4096\ntotal_shmem 1000\ntotal_swap 4\ntotal_cache 900000\n"
    control = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"
    files = {"stat": stat, "limit_in_bytes": f"{limit}\n", "oom_control": control}
    memory_files(tmp_path, 1, **files, failcnt="7\n")

    assert Cgroups(tmp_path).memory("web") == Memory(5100, known, 1, 7)


def test_a_file_that_makes_no_sense_is_unknown(tmp_path):
    memory_files(tmp_path, 2, stat="anon much\n", max="?\n", events="oom_kill\n")

    assert Cgroups(tmp_path).memory("web") == Memory()
