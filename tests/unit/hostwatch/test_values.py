"""What each rule looks at."""

import pytest

from opmas.agents.hostwatch.hostwatch.proc import Cpu, Disk, Interface, Load, Memory, Stall
from opmas.agents.hostwatch.hostwatch.usage import Stalled, Unreachable, Usage
from opmas.agents.hostwatch.hostwatch.values import rule_values
from tests.unit.hostwatch.samples import HALF_FULL, NOTHING, filesystem, sample

MEMORY = Memory(1000, 50, 80, 0, 0, 0, swap_total=200, swap_free=50)
DISK = Disk(0, 0, 0.0, 0, 0, 0.0, busy_seconds=5.0)
LINK = Interface(0, 0, 2, 0, 0, 0, 1, 0)
NEVER: frozenset[str] = frozenset()


def test_a_host_that_tells_nothing_has_no_values():
    assert rule_values(NOTHING, NOTHING._replace(at=10.0), NEVER) == {}


def test_memory_and_swap_are_percents():
    values = rule_values(None, sample(memory=MEMORY), NEVER)

    assert values["memory_available"] == values["memory_available_critical"] == {"": 8.0}
    assert values["swap_used"] == {"": 75.0}


def test_a_host_without_swap_has_no_instance_of_it():
    values = rule_values(None, sample(memory=MEMORY._replace(swap_total=0, swap_free=0)), NEVER)

    assert values["swap_used"] == {}


def test_load_is_divided_by_the_cpus_online():
    values = rule_values(None, sample(load=Load(6.0, 1.0, 1.0), cpu=Cpu((1,) * 8, 4)), NEVER)

    assert values["load_per_cpu"] == {"": 1.5}


def test_pressure_is_that_of_some_work():
    stalls = {"memory": {"some": Stall(0.25, 1.0), "full": Stall(0.1, 1.0)}, "cpu": {}}

    values = rule_values(None, sample(pressure=stalls), NEVER)

    assert values == {"pressure_memory": {"": 25.0}}


def test_a_file_system_is_as_full_as_df_says():
    now = sample(filesystems=[filesystem("/")], usage={"/": HALF_FULL})

    values = rule_values(None, now, NEVER)

    assert values["filesystem_used"] == {"/": pytest.approx(100 * 500 / 950)}
    assert values["filesystem_inodes"] == {"/": 90.0}
    assert values["filesystem_stalled"] == {"/": 0.0}
    assert values["filesystem_read_only"] == {}


def test_a_file_system_that_counts_no_inodes_has_no_value_for_them():
    now = sample(
        filesystems=[filesystem("/")], usage={"/": HALF_FULL._replace(files=0, files_free=0)}
    )

    assert rule_values(None, now, NEVER)["filesystem_inodes"] == {"/": None}


def test_a_stalled_file_system_has_no_other_value():
    now = sample(filesystems=[filesystem("/nfs")], usage={"/nfs": Stalled()})

    values = rule_values(None, now, NEVER)

    assert values["filesystem_stalled"] == {"/nfs": 1.0}
    assert values["filesystem_used"] == {"/nfs": None}


def test_a_file_system_that_was_not_asked_is_unknown():
    now = sample(filesystems=[filesystem("/nfs")], usage={})

    assert rule_values(None, now, NEVER)["filesystem_stalled"] == {"/nfs": None}


def test_a_file_system_that_cannot_be_reached_is_not_there():
    now = sample(filesystems=[filesystem("/x")], usage={"/x": Unreachable()})

    assert rule_values(None, now, NEVER)["filesystem_stalled"] == {}


def test_read_only_is_news_only_where_something_was_once_written():
    filesystems = [filesystem("/", read_only=True), filesystem("/boot", read_only=True)]
    now = sample(filesystems=filesystems, usage={"/": HALF_FULL, "/boot": HALF_FULL})

    values = rule_values(None, now, frozenset({"/"}))

    assert values["filesystem_read_only"] == {"/": 1.0}


def test_a_read_only_file_system_is_never_too_full():
    full = Usage(size=100, free=0, available=0, files=1, files_free=0)
    now = sample(filesystems=[filesystem("/usr", read_only=True)], usage={"/usr": full})

    assert rule_values(None, now, NEVER)["filesystem_used"] == {"/usr": None}


def test_rates_need_two_samples():
    now = sample(at=10.0, disks={"sda": DISK}, interfaces={"eth0": LINK})

    assert rule_values(None, now, NEVER) == {}
    assert rule_values(now, now, NEVER) == {}


def test_rates_are_per_second_between_two_samples():
    before = sample(at=10.0, disks={"sda": DISK}, interfaces={"eth0": LINK})
    now = sample(
        at=20.0,
        disks={"sda": DISK._replace(busy_seconds=9.0)},
        interfaces={"eth0": LINK._replace(received_errors=22, sent_errors=11)},
    )

    values = rule_values(before, now, NEVER)

    assert values["disk_busy"] == {"sda": 40.0}
    assert values["network_errors"] == {"eth0": 3.0}


def test_a_counter_that_runs_backwards_has_no_rate():
    before = sample(at=10.0, interfaces={"eth0": LINK})
    now = sample(at=20.0, interfaces={"eth0": LINK._replace(received_errors=0)})

    assert rule_values(before, now, NEVER)["network_errors"] == {"eth0": None}


def test_a_new_device_has_no_rate_yet():
    before = sample(at=10.0, disks={})
    now = sample(at=20.0, disks={"sdb": DISK})

    assert rule_values(before, now, NEVER)["disk_busy"] == {}


def test_the_cpus_are_as_busy_as_they_were_since_the_last_sample():
    before = sample(at=10.0, cpu=Cpu((0, 0, 0, 0, 0, 0, 0, 0), 1))
    now = sample(at=20.0, cpu=Cpu((50, 0, 20, 5, 5, 0, 0, 20), 1))

    values = rule_values(before, now, NEVER)

    assert values["cpu_usage"] == {"": pytest.approx(90.0)}
    assert values["cpu_steal"] == {"": pytest.approx(20.0)}


def test_failed_units_and_temperatures_are_instances():
    now = sample(failed_units=["a.service"], temperatures={"coretemp/core 0": 40.0})

    values = rule_values(None, now, NEVER)

    assert values["unit_failed"] == {"a.service": 1.0}
    assert values["temperature"] == {"coretemp/core 0": 40.0}
