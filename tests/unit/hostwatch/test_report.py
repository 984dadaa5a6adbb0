"""The metrics."""

import json
import re

import pytest

from opmas.agent.metrics import Metrics
from opmas.agents.hostwatch.hostwatch.proc import Cpu, Disk, Interface, Load, Memory, Stall
from opmas.agents.hostwatch.hostwatch.report import HELP, TICKS_PER_SECOND, Report
from opmas.agents.hostwatch.hostwatch.usage import Stalled
from tests.unit.hostwatch.samples import HALF_FULL, NOTHING, filesystem, sample

BIG = 10**15
DISK = Disk(BIG, BIG, BIG / 7, BIG, BIG, BIG / 7, BIG / 7)
LINK = Interface(*[BIG] * 8)

FULL = sample(
    at=10.0,
    cpu=Cpu((100,) * 8, 2),
    memory=Memory(*[BIG] * 8),
    load=Load(1.0, 2.0, 3.0),
    pressure={
        name: {"some": Stall(0.12345, 1.5), "full": Stall(0.0, 0.0)}
        for name in ("cpu", "io", "memory")
    },
    disks={f"nvme{n}n1": DISK for n in range(64)},
    interfaces={f"enp{n}s0f0np0": LINK for n in range(64)},
    links={f"enp{n}s0f0np0": True for n in range(64)},
    filesystems=[filesystem(f"/srv/some/where/deep/{n}") for n in range(64)],
    usage={f"/srv/some/where/deep/{n}": HALF_FULL for n in range(64)},
    temperatures={f"coretemp/core {n}": 40.0 + n for n in range(64)},
    failed_units=["a.service"],
)


def reported(before, now, raised=0):
    metrics = Metrics()
    Report(metrics).update(before, now, raised)
    return {
        (sample["name"], *sample["labels"].values()): sample["value"]
        for sample in metrics.samples()
    }


def test_a_host_that_tells_nothing_still_says_how_many_thresholds_are_raised():
    assert reported(None, NOTHING, raised=3) == {("host_thresholds_raised",): 3}


def test_cpu_times_are_seconds_by_mode():
    values = reported(None, FULL)

    assert values["host_cpu_seconds_total", "steal"] == 100 / TICKS_PER_SECOND
    assert values["host_cpus",] == 2


def test_shares_are_ratios_of_the_time_since_the_last_round():
    before = FULL._replace(
        at=0.0, cpu=Cpu((0,) * 8, 2), disks={"sda": DISK._replace(busy_seconds=0.0)}
    )
    now = FULL._replace(disks={"sda": DISK._replace(busy_seconds=2.5)})

    values = reported(before, now)

    assert values["host_cpu_usage_ratio",] == 0.75
    assert values["host_disk_busy_ratio", "sda"] == 0.25


def test_a_stalled_file_system_has_no_sizes():
    now = sample(filesystems=[filesystem("/nfs")], usage={"/nfs": Stalled()})

    values = reported(None, now)

    assert values["host_filesystem_stalled", "ext4", "/nfs"] == 1
    assert ("host_filesystem_size_bytes", "ext4", "/nfs") not in values


def test_what_is_gone_is_forgotten():
    metrics = Metrics()
    report = Report(metrics)
    report.update(None, FULL, 0)

    report.update(FULL, NOTHING._replace(at=20.0), 0)

    assert [sample["name"] for sample in metrics.samples()] == ["host_thresholds_raised"]


def test_the_whole_set_of_a_large_host_fits_one_line():
    metrics = Metrics()
    Report(metrics).update(FULL._replace(at=0.0), FULL, 0)

    line = json.dumps({"metrics": metrics.samples()}, separators=(",", ":"))

    # What is left is for the SDK's own metrics.
    assert len(line) < 60 * 1024


@pytest.mark.parametrize("name", HELP)
def test_every_metric_is_in_the_readme(name, readme_metrics):
    assert name in readme_metrics


@pytest.fixture
def readme_metrics(request):
    text = (request.config.rootpath / "opmas/agents/hostwatch/README.md").read_text()
    return {name for pattern in re.findall(r"`(host_[^`]*)`", text) for name in expanded(pattern)}


def expanded(pattern: str) -> set[str]:
    """Return the names that a pattern with {a,b} stands for."""
    found = re.search(r"\{([^}]*)\}", pattern)
    if not found:
        return {pattern}
    return {
        name
        for word in found[1].split(",")
        for name in expanded(pattern.replace(found[0], word, 1))
    }
