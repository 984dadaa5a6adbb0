"""Reading a host's files: a made-up host, and what is missing or closed on it."""

from pathlib import Path

import pytest

from opmas.agents.hostwatch.hostwatch.host import Host, Roots
from opmas.agents.hostwatch.hostwatch.settings import read_settings

SETTINGS = read_settings({})
NET_DEV = " eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n   lo: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
DISKSTATS = """\
8 0 sda 1 0 2 3 4 0 5 6 0 7 8
8 1 sda1 1 0 2 3 4 0 5 6 0 7 8
7 0 loop0 1 0 2 3 4 0 5 6 0 7 8
"""
MOUNTINFO = """\
1 0 0:9 / /nowhere/x rw - nfs4 a:/b rw
2 1 0:2 /systemd/inaccessible/dir /home ro - tmpfs tmpfs rw
"""

FILES = {
    "proc/stat": "cpu 1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n",
    "proc/meminfo": "MemTotal: 10 kB\nMemAvailable: 5 kB\n",
    "proc/loadavg": "1.00 2.00 3.00 1/2 3\n",
    "proc/pressure/memory": "some avg10=0 avg60=50.0 avg300=0 total=1\n",
    "proc/diskstats": DISKSTATS,
    "proc/self/net/dev": NET_DEV,
    "proc/self/mountinfo": MOUNTINFO,
    "sys/block/sda/size": "8\n",
    "sys/block/loop0/size": "8\n",
    "sys/class/net/eth0/operstate": "down\n",
    "sys/class/hwmon/hwmon0/name": "coretemp\n",
    "sys/class/hwmon/hwmon0/temp1_input": "41000\n",
    "sys/class/hwmon/hwmon0/temp1_label": "Core 0\n",
    "sys/class/hwmon/hwmon0/temp2_input": "42000\n",
    "sys/class/hwmon/hwmon0/fan1_input": "1200\n",
    "sys/class/hwmon/hwmon1/name": "coretemp\n",
    "sys/class/hwmon/hwmon1/temp1_input": "43000\n",
    "sys/class/hwmon/hwmon1/temp1_label": "Core 0\n",
    "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone0/temp": "44000\n",
    "sys/class/thermal/thermal_zone1/type": "acpitz\n",
    "sys/class/thermal/thermal_zone1/temp": "27800\n",
    "sys/class/thermal/thermal_zone1/hwmon2/temp1_input": "27800\n",
    "sys/class/thermal/cooling_device0/type": "Processor\n",
    "etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 /home ext4 defaults 0 2\n",
}  # fmt: skip


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a directory with the files of a small host."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def clock() -> Clock:
    """Return the host's clock."""
    return Clock()


@pytest.fixture
def host(root: Path, clock: Clock):
    """Return the host."""
    names = ("proc", "sys", "etc", "run", "bus")
    made = Host(Roots(*(str(root / name) for name in names)), clock)
    yield made
    made.close()


def test_everything_that_is_there_is_read(host):
    sample = host.read(SETTINGS)

    assert sample.problems == {}
    assert sample.cpu.online == 1
    assert sample.memory.available == 5 * 1024
    assert sample.load.five == 2.0
    assert sample.pressure["memory"]["some"].share == 0.5
    assert sample.pressure["io"] == {}
    assert list(sample.disks) == ["sda"]
    assert list(sample.interfaces) == ["eth0"]
    assert sample.links == {"eth0": False}
    assert [fs.mountpoint for fs in sample.filesystems] == ["/home", "/nowhere/x"]
    assert sample.failed_units is None


def test_sensors_have_names_of_their_own_and_a_zone_that_is_a_chip_is_read_once(host):
    sample = host.read(SETTINGS)

    assert sample.temperatures == {
        "coretemp/core 0": 41.0,
        "coretemp/temp2": 42.0,
        "coretemp/core 0 #2": 43.0,
        "thermal/x86_pkg_temp": 44.0,
    }


def test_a_sensor_that_is_ignored_is_not_read(host):
    settings = read_settings({"sensors": {"ignore": ["coretemp/*"]}})

    assert list(host.read(settings).temperatures) == ["thermal/x86_pkg_temp"]


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in {"proc/stat", "proc/meminfo"}]
)
def test_a_file_that_is_missing_is_no_problem(host, root, name):
    (root / name).unlink()

    assert host.read(SETTINGS).problems == {}


def test_a_host_that_shows_nothing_is_a_problem_of_the_sandbox(host, root):
    (root / "proc/stat").unlink()
    (root / "proc/meminfo").unlink()

    sample = host.read(SETTINGS)

    assert sample.problems["proc"].endswith('the sandbox must grant "proc: host"')


def test_a_file_that_cannot_be_read_is_a_problem_of_that_reading_alone(host, root):
    (root / "proc/loadavg").unlink()
    (root / "proc/loadavg").mkdir()

    sample = host.read(SETTINGS)

    assert sample.problems == {"load": f"cannot read {root}/proc/loadavg: Is a directory"}
    assert sample.memory is not None


def test_a_bus_that_cannot_be_reached_is_a_problem_until_the_next_question(host, root, clock):
    (root / "run/systemd/system").mkdir(parents=True)
    first = host.read(SETTINGS)
    (root / "run/systemd/system").rmdir()
    clock.now = 59.0
    second = host.read(SETTINGS)
    clock.now = 60.0

    third = host.read(SETTINGS)

    problem = f"cannot list failed units: {root}/bus: No such file or directory"
    assert first.problems == second.problems == {"failed_units": problem}
    assert third.problems == {}


def test_new_mounts_are_seen_at_the_next_round(host, root):
    host.read(SETTINGS)
    (root / "proc/self/mountinfo").write_text("1 0 0:9 / /new rw - xfs /dev/sdb rw\n")

    sample = host.read(SETTINGS)

    assert [fs.mountpoint for fs in sample.filesystems] == ["/new"]


def test_what_fstab_mounts_and_the_sandbox_hides_is_named(host):
    assert host.hidden_mounts() == ["/home"]
