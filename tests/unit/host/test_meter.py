"""What agents use, read from trees of both kinds of control groups, and what stays open."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from opmas.core.resources.usage import Descriptors
from opmas.host.meter import Meter

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "opmas.slice/opmas-agents.slice/opmas-agent@web.service"
V2 = {
    f"{GROUP}/cpu.stat": "usage_usec 1500000\nuser_usec 1\nnr_periods 10\nnr_throttled 4\n",
    f"{GROUP}/memory.current": "8192\n",
    f"{GROUP}/pids.current": "3\n",
    f"{GROUP}/memory.stat": "anon 4096\nfile 100000\nshmem 1024\ninactive_file 1000\n"
    "active_file 100\nslab_reclaimable 10\n",
    f"{GROUP}/memory.swap.current": "512\n",
    f"{GROUP}/memory.peak": "9000\n",
    f"{GROUP}/memory.events": "low 0\nhigh 7\nmax 1\noom 1\noom_kill 2\n",
    f"{GROUP}/io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
    "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n",
    f"{GROUP}/memory.pressure": "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=1\n",
    f"{GROUP}/cpu.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
    f"{GROUP}/io.pressure": "some avg10=2.00 avg60=0.00 avg300=0.00 total=1\n",
}
V1 = {
    f"unified/{GROUP}/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
    f"cpu/{GROUP}/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 9\n",
    f"memory/{GROUP}/memory.usage_in_bytes": "8192\n",
    f"pids/{GROUP}/pids.current": "3\n",
    f"memory/{GROUP}/memory.stat": "rss 1\ntotal_rss 4096\ntotal_shmem 1024\ntotal_swap 512\n"
    "total_inactive_file 1010\ntotal_active_file 100\n",
    f"memory/{GROUP}/memory.max_usage_in_bytes": "9000\n",
    f"memory/{GROUP}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    f"memory/{GROUP}/memory.failcnt": "7\n",
    f"blkio/{GROUP}/blkio.throttle.io_service_bytes": "8:0 Read 11\n8:0 Write 22\nTotal 33\n",
    f"blkio/{GROUP}/blkio.throttle.io_serviced": "8:0 Read 4\n8:0 Write 6\nTotal 10\n",
    f"unified/{GROUP}/memory.pressure": "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\n",
    f"unified/{GROUP}/cpu.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
    f"unified/{GROUP}/io.pressure": "some avg10=2.00 avg60=0.00 avg300=0.00 total=1\n",
}
PROCESSES = {"v1": f"systemd/{GROUP}/cgroup.procs", "v2": f"{GROUP}/cgroup.procs"}


def make(top: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)


def host(top: Path, version: str) -> Path:
    if version == "v2":
        make(top, {"cgroup.controllers": "cpu memory pids io\n"})
    make(top, V2 if version == "v2" else V1)
    return top


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_both_kinds_of_control_groups_tell_the_same(tmp_path, version):
    meter = Meter(host(tmp_path, version), clock=lambda: 5.0)

    sample = meter.whole("web")
    meter.close()

    assert (sample.at, sample.memory_bytes, sample.tasks, sample.cpu_seconds) == (
        5.0,
        8192,
        3,
        1.5,
    )
    found = sample.detail
    assert found is not None
    assert (found.held_bytes, found.peak_bytes) == (4096 + 1024 + 512, 9000)
    assert found.needed_bytes == 8192 - 1110
    assert (found.oom_kills, found.throttled, found.cpu_periods, found.cpu_throttled) == (
        2, 7, 10, 4,
    )  # fmt: skip
    assert (found.read_bytes, found.written_bytes, found.reads, found.writes) == (11, 22, 4, 6)
    assert (found.memory_pressure, found.cpu_pressure, found.io_pressure) == (12.5, 1.0, 2.0)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nothing_is_known_of_an_agent_without_a_control_group(tmp_path, version):
    meter = Meter(host(tmp_path, version))

    sample = meter.whole("db")

    assert (sample.memory_bytes, sample.tasks, sample.cpu_seconds) == (None, None, None)
    assert sample.held_bytes is None
    assert meter.open_files == 0


def test_a_file_is_read_again_without_being_opened_again(tmp_path):
    meter = Meter(host(tmp_path, "v2"))
    meter.sample("web")
    opened = meter.open_files
    make(tmp_path, {f"{GROUP}/memory.current": "4096\n"})

    sample = meter.sample("web")

    assert sample.memory_bytes == 4096
    assert meter.open_files == opened == 3
    meter.close()


def test_the_files_of_the_next_run_are_opened_when_those_of_the_last_are_gone(tmp_path):
    # a file in /proc ends with its process, as one of a control group does with its group
    process = subprocess.Popen(["sleep", "60"])
    file = host(tmp_path, "v2") / GROUP / "memory.current"
    file.unlink()
    file.symlink_to(f"/proc/{process.pid}/oom_score")
    meter = Meter(tmp_path)
    before = meter.sample("web").memory_bytes
    process.kill()
    process.wait()
    file.unlink()
    file.write_text("77\n")

    after = meter.sample("web").memory_bytes

    assert before is not None
    assert after == 77
    meter.close()


def test_files_are_closed_when_their_agent_is_gone(tmp_path):
    meter = Meter(host(tmp_path, "v2"))
    meter.whole("web")
    opened = meter.open_files

    meter.keep(["db"])

    assert opened > 3
    assert meter.open_files == 0


def test_no_more_files_stay_open_than_the_manager_can_spare(tmp_path):
    meter = Meter(host(tmp_path, "v2"), most_open=2)

    samples = [meter.whole("web") for _ in range(3)]

    assert meter.open_files == 2
    assert [s.detail.held_bytes for s in samples if s.detail] == [5632] * 3
    meter.close()


def test_what_is_read_each_time_has_room_beside_what_is_seldom_read(tmp_path):
    meter = Meter(host(tmp_path, "v2"), most_open=4)

    meter.whole("web")

    assert meter.open_files == 4  # a file of its detail at most, and its three others
    tasks = tmp_path / GROUP / "pids.current"
    number = int(tasks.read_text())
    tasks.unlink()  # so that it cannot be opened again
    assert meter.sample("web").tasks == number
    meter.close()


def test_a_controller_that_comes_later_is_found(tmp_path):
    files = {path: text for path, text in V2.items() if "io.stat" not in path}
    make(tmp_path, {"cgroup.controllers": "", **files})
    meter = Meter(tmp_path)
    first = meter.whole("web").detail
    make(tmp_path, V2)

    later = meter.whole("web").detail

    assert first is not None
    assert later is not None
    assert (first.read_bytes, later.read_bytes) == (None, 11)
    meter.close()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_descriptors_of_all_processes_are_counted(tmp_path, version):
    top = host(tmp_path, version)
    make(top, {PROCESSES[version]: "11\n12\n13\n"})
    proc = tmp_path / "proc"
    limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   64   4096   files\n"
    for pid, status in (("11", "FDSize:\t64\n"), ("12", "FDSize:\t256\n")):
        make(proc, {f"{pid}/status": status, f"{pid}/limits": limits, f"{pid}/fd": ""})
    meter = Meter(top, proc=str(proc))

    detail = meter.whole("web").detail

    assert detail is not None
    assert detail.descriptors == Descriptors(320, exact=False, fullest=256, limit=64)
    meter.close()


def test_this_process_counts_its_descriptors_exactly_where_the_kernel_does(tmp_path):
    make(tmp_path, {"cgroup.controllers": "", f"{GROUP}/cgroup.procs": "self\n"})
    (tmp_path / GROUP / "pids.current").write_text("1\n")
    meter = Meter(tmp_path)

    detail = meter.whole("web").detail

    assert detail is not None
    assert detail.descriptors is not None
    assert detail.descriptors.count >= 3
    assert detail.descriptors.limit is not None
    meter.close()


@pytest.mark.parametrize(
    ("version", "path"),
    [("v2", f"{GROUP}/io.stat"), ("v1", f"blkio/{GROUP}/blkio.throttle.io_service_bytes")],
)
def test_an_agent_that_used_no_disk_yet_has_used_none(tmp_path, version, path):
    top = host(tmp_path, version)
    make(top, {path: "Total 0\n" if version == "v1" else ""})
    (tmp_path / f"blkio/{GROUP}/blkio.throttle.io_serviced").unlink(missing_ok=True)
    meter = Meter(top)

    detail = meter.whole("web").detail

    assert detail is not None
    assert (detail.read_bytes, detail.written_bytes, detail.reads) == (0, 0, 0)
    meter.close()
