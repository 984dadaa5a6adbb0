"""The kernel's files about the whole host: real ones, and odd ones."""

import pytest

from opmas.agents.hostwatch.hostwatch.proc import (
    Cpu,
    Disk,
    Interface,
    Load,
    Memory,
    Stall,
    cpu_use,
    parse_cpu,
    parse_diskstats,
    parse_loadavg,
    parse_meminfo,
    parse_net_dev,
    parse_pressure,
)

# Linux 6.18, 2 CPUs
STAT = """\
cpu  10163 5 6488 248257 845 1 216 39 7 0
cpu0 3920 0 2653 126150 187 0 16 12 0 0
cpu1 6243 5 3835 122107 658 1 200 27 7 0
intr 537213 0 0 0 0 0 0 0 0
ctxt 1029384
btime 1763828463
processes 24507
procs_running 1
"""

# Linux 6.18; a host with swap
MEMINFO = """\
MemTotal:        2000000 kB
MemFree:          200000 kB
MemAvailable:     900000 kB
Buffers:           50000 kB
Cached:           600000 kB
SwapCached:            0 kB
SwapTotal:       1000000 kB
SwapFree:         250000 kB
Dirty:                12 kB
SReclaimable:      40000 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
"""

DISKSTATS = """\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 80146 30780 3089226 14323 90820 29066 2482960 10689 0 14932 26548 12380 17 547600 798 18666 737
   8       1 sda1 12 0 96 4 3 0 24 1 0 5 5
"""  # noqa: E501 (as the kernel has it)

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 210930122    7271    3    4    0     0          0         0   529036    6214    1    2    0     0       0          0
"""  # noqa: E501 (as the kernel has it)

PRESSURE = """\
some avg10=5.79 avg60=4.38 avg300=1.28 total=13793050
full avg10=0.00 avg60=0.50 avg300=0.00 total=1500000
"""


def test_cpu_ticks_are_those_of_all_cpus_with_the_number_online():
    cpu = parse_cpu(STAT)

    assert cpu == Cpu((10163, 5, 6488, 248257, 845, 1, 216, 39), 2)


def test_a_kernel_with_fewer_columns_has_no_steal():
    cpu = parse_cpu("cpu 10 0 10 80\ncpu0 10 0 10 80\n")

    assert cpu == Cpu((10, 0, 10, 80, 0, 0, 0, 0), 1)


@pytest.mark.parametrize("text", ["", "intr 1 2 3\n", "cpu\n", "cpu x y z\n", "cpu 0 0 0 0\n"])
def test_a_stat_without_ticks_is_no_reading(text):
    assert parse_cpu(text) is None


def test_waiting_for_disks_is_idle_time():
    before = Cpu((0, 0, 0, 0, 0, 0, 0, 0), 1)
    after = Cpu((20, 0, 10, 50, 15, 0, 0, 5), 1)

    use = cpu_use(before, after)

    assert use is not None
    assert use.busy == pytest.approx(0.35)
    assert use.steal == pytest.approx(0.05)


def test_iowait_that_runs_backwards_counts_as_none():
    before = Cpu((0, 0, 0, 100, 50, 0, 0, 0), 1)
    after = Cpu((10, 0, 0, 190, 40, 0, 0, 0), 1)

    use = cpu_use(before, after)

    assert use is not None
    assert use.busy == pytest.approx(0.1)


def test_two_readings_at_once_have_no_use():
    cpu = Cpu((1, 2, 3, 4, 5, 6, 7, 8), 1)

    assert cpu_use(cpu, cpu) is None


def test_memory_is_read_in_bytes_and_slabs_count_as_cache():
    memory = parse_meminfo(MEMINFO)

    assert memory == Memory(
        total=2000000 * 1024,
        free=200000 * 1024,
        available=900000 * 1024,
        buffers=50000 * 1024,
        cached=640000 * 1024,
        dirty=12 * 1024,
        swap_total=1000000 * 1024,
        swap_free=250000 * 1024,
    )


def test_a_kernel_before_3_14_does_not_say_what_is_available():
    memory = parse_meminfo("MemTotal: 1000 kB\nMemFree: 10 kB\n")

    assert memory is not None
    assert memory.available is None


@pytest.mark.parametrize("text", ["", "MemTotal:\n", "MemTotal: many kB\n", "MemTotal: 0 kB\n"])
def test_a_meminfo_without_a_total_is_no_reading(text):
    assert parse_meminfo(text) is None


def test_load_is_read():
    assert parse_loadavg("0.51 0.14 0.06 1/107 24507\n") == Load(0.51, 0.14, 0.06)


@pytest.mark.parametrize("text", ["", "0.51 0.14\n", "a b c 1/2 3\n"])
def test_a_loadavg_without_three_numbers_is_no_reading(text):
    assert parse_loadavg(text) is None


def test_disks_are_read_with_20_or_14_columns():
    disks = parse_diskstats(DISKSTATS)

    assert disks["vda"] == Disk(
        reads=80146,
        read_bytes=3089226 * 512,
        read_seconds=14.323,
        writes=90820,
        written_bytes=2482960 * 512,
        write_seconds=10.689,
        busy_seconds=14.932,
    )
    assert disks["sda1"].busy_seconds == 0.005


@pytest.mark.parametrize(
    "line", ["", "8 1 sda1 12 96 3 24", "8 1", "8 1 sda 1 2 3 x 5 6 7 8 9 10 11"]
)
def test_a_line_that_is_no_disk_is_skipped(line):
    assert parse_diskstats(line + "\n") == {}


def test_interfaces_are_read():
    interfaces = parse_net_dev(NET_DEV)

    assert interfaces["eth0"] == Interface(210930122, 7271, 3, 4, 529036, 6214, 1, 2)
    assert list(interfaces) == ["lo", "eth0"]


def test_an_old_kernel_leaves_no_blank_and_an_alias_has_a_colon():
    interfaces = parse_net_dev("eth0:1:99 1 0 0 0 0 0 0 88 2 0 0 0 0 0 0\n")

    assert interfaces == {"eth0:1": Interface(99, 1, 0, 0, 88, 2, 0, 0)}


def test_pressure_is_read_as_share_and_seconds():
    stalls = parse_pressure(PRESSURE)

    assert stalls == {"some": Stall(4.38 / 100, 13.79305), "full": Stall(0.005, 1.5)}


@pytest.mark.parametrize(
    "text", ["", "\n", "some\n", "some avg10=1 total=2\n", "some avg60=x total=1\n"]
)
def test_a_line_without_numbers_is_no_pressure(text):
    assert parse_pressure(text) == {}
