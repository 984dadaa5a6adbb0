"""Every threshold that hostwatch knows: its default levels, and how it is said.

The defaults are explained in README.md, one by one; agent.yaml repeats them for tools, and a test
compares the two. A rule whose value is yes or no has no levels in the configuration.
"""

from __future__ import annotations

from typing import NamedTuple

from .thresholds import Change, Crossing, Rule

YES_OR_NO = Rule(raise_at=1, clear_at=0)
HOUR = 3600.0


class Kind(NamedTuple):
    """One threshold: its defaults, and the sentences about it.

    `resource` groups the rules of one value; `said` is filled in with the instance and the value.
    """

    resource: str
    unit: str
    rule: Rule
    severity: str
    said: str
    enabled: bool = True
    calm: str = ""
    is_list_of_bad: bool = False  # an instance that is not among the values is a good one

    @property
    def is_yes_or_no(self) -> bool:
        """Tell whether the value is only ever 1 or 0."""
        return self.unit == ""

    @property
    def is_below(self) -> bool:
        """Tell whether low values are the bad ones."""
        return self.rule.raise_at < self.rule.clear_at


KINDS = {
    "cpu_usage": Kind(
        "cpu_usage", "percent", Rule(95, 85, 300), "warning", "CPUs are {value:.0f} % busy"
    ),
    "cpu_steal": Kind(
        "cpu_steal",
        "percent",
        Rule(20, 10, 300),
        "warning",
        "the hypervisor takes {value:.0f} % of the CPU time",
    ),
    "load_per_cpu": Kind(
        "load_per_cpu", "load", Rule(2.0, 1.5, 120), "warning", "load is {value:.1f} per CPU"
    ),
    "memory_available": Kind(
        "memory_available",
        "percent",
        Rule(10, 15, 30),
        "warning",
        "{value:.1f} % of the memory is available",
    ),
    "memory_available_critical": Kind(
        "memory_available",
        "percent",
        Rule(4, 8, 0),
        "error",
        "only {value:.1f} % of the memory is available",
    ),
    "swap_used": Kind(
        "swap_used", "percent", Rule(80, 60, 300), "warning", "swap is {value:.0f} % used"
    ),
    "filesystem_used": Kind(
        "filesystem_used",
        "percent",
        Rule(90, 85, 0),
        "warning",
        "file system {instance} is {value:.0f} % used",
    ),
    "filesystem_used_critical": Kind(
        "filesystem_used",
        "percent",
        Rule(97, 95, 0),
        "error",
        "file system {instance} is nearly full, {value:.0f} % used",
    ),
    "filesystem_inodes": Kind(
        "filesystem_inodes",
        "percent",
        Rule(90, 85, 0),
        "warning",
        "file system {instance} has {value:.0f} % of its inodes used",
    ),
    "filesystem_read_only": Kind(
        "filesystem_read_only",
        "",
        YES_OR_NO,
        "error",
        "file system {instance} has become read-only",
        calm="file system {instance} can be written again",
    ),
    "filesystem_stalled": Kind(
        "filesystem_stalled",
        "",
        YES_OR_NO,
        "error",
        "file system {instance} does not answer",
        calm="file system {instance} answers again",
    ),
    "disk_busy": Kind(
        "disk_busy",
        "percent",
        Rule(95, 80, 600),
        "warning",
        "disk {instance} is busy {value:.0f} % of the time",
        enabled=False,
    ),
    "network_errors": Kind(
        "network_errors",
        "errors/s",
        Rule(1.0, 0.1, 60),
        "warning",
        "network interface {instance} has {value:.1f} errors per second",
    ),
    "temperature": Kind(
        "temperature", "celsius", Rule(85, 75, 30), "warning", "{instance} is {value:.0f} °C hot"
    ),
    "pressure_cpu": Kind(
        "pressure_cpu",
        "percent",
        Rule(80, 60, 300),
        "warning",
        "work waits for a CPU {value:.0f} % of the time",
        enabled=False,
    ),
    "pressure_memory": Kind(
        "pressure_memory",
        "percent",
        Rule(10, 5, 30),
        "warning",
        "work waits for memory {value:.0f} % of the time",
    ),
    "pressure_io": Kind(
        "pressure_io",
        "percent",
        Rule(50, 30, 300),
        "warning",
        "work waits for disks {value:.0f} % of the time",
    ),
    "unit_failed": Kind(
        "unit_failed",
        "",
        YES_OR_NO,
        "warning",
        "systemd unit {instance} has failed",
        calm="systemd unit {instance} is no longer failed",
        is_list_of_bad=True,
    ),
}


def sentence(kind: Kind, instance: str, crossing: Crossing) -> str:
    """Say what was crossed, and at which level."""
    raised = crossing.change is Change.RAISED
    said = kind.said if raised or not kind.calm else kind.calm
    text = said.format(instance=instance, value=crossing.value or 0.0)
    if kind.is_yes_or_no:
        return text
    word = "raised" if raised else "cleared"
    return f"{text} ({word} at {crossing.level:g})"
