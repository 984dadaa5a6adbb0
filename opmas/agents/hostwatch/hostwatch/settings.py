"""What hostwatch's configuration says, checked.

The manager checks a configuration against agent.yaml's schema first; this checks again, as an
author runs the agent by hand without one, and because only code can compare two levels. All
problems are reported at once, each as `field: value: reason`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .mounts import PSEUDO_TYPES
from .rules import HOUR, KINDS
from .thresholds import Rule

SEVERITIES = ("info", "warning", "error")

IGNORED_TYPES = ["cramfs", "erofs", "iso9660", "squashfs"]
IGNORED_MOUNTS = [
    "/dev", "/dev/*", "/proc/*", "/sys/*", "/run/credentials", "/run/credentials/*",
    "/run/user/*", "/snap/*", "/var/lib/private", "/var/lib/containerd/*", "/var/lib/containers/*",
    "/var/lib/docker/*", "/var/lib/kubelet/*",
]  # fmt: skip
IGNORED_DISKS = ["loop*", "nbd*", "ram*", "sr*", "zram*"]
IGNORED_INTERFACES = ["lo", "br-*", "cali*", "docker*", "dummy*", "ifb*", "tap*", "veth*", "vnet*"]

DEFAULTS: dict[str, Any] = {
    "interval": 10.0,
    "failed_units": {"enabled": True, "period": 60.0},
    "filesystems": {
        "ignore_types": IGNORED_TYPES,
        "ignore_mounts": IGNORED_MOUNTS,
        "timeout": 1.0,
    },
    "disks": {"ignore": IGNORED_DISKS},
    "network": {"ignore": IGNORED_INTERFACES},
    "sensors": {"ignore": []},
    "thresholds": {},
}


class Threshold(NamedTuple):
    """A rule that is on, and how bad its crossing is."""

    rule: Rule
    severity: str


class Settings(NamedTuple):
    """All of the configuration; times in seconds."""

    interval: float
    failed_units_period: float | None
    ignore_types: list[str]
    ignore_mounts: list[str]
    mount_timeout: float
    ignore_disks: list[str]
    ignore_interfaces: list[str]
    ignore_sensors: list[str]
    thresholds: dict[str, Threshold]


class SettingsError(ValueError):
    """The configuration has problems; `problems` names each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings that the configuration means; raises SettingsError."""
    reading = _Reading()
    top = reading.section("", dict(config), DEFAULTS)
    units = reading.section("failed_units", top["failed_units"])
    mounts = reading.section("filesystems", top["filesystems"])
    period = reading.number("failed_units.period", units["period"], 10, HOUR)
    asks_units = reading.switch("failed_units.enabled", units["enabled"])
    settings = Settings(
        interval=reading.number("interval", top["interval"], 1, HOUR),
        failed_units_period=period if asks_units else None,
        ignore_types=reading.patterns("filesystems.ignore_types", mounts["ignore_types"]),
        ignore_mounts=reading.patterns("filesystems.ignore_mounts", mounts["ignore_mounts"]),
        mount_timeout=reading.number("filesystems.timeout", mounts["timeout"], 0.1, 5),
        ignore_disks=reading.ignore("disks", top["disks"]),
        ignore_interfaces=reading.ignore("network", top["network"]),
        ignore_sensors=reading.ignore("sensors", top["sensors"]),
        thresholds=reading.thresholds(top["thresholds"]),
    )
    if reading.problems:
        raise SettingsError(reading.problems)
    return settings


class _Reading:
    """Takes values out of the configuration and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def section(
        self, path: str, value: object, defaults: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the section with its defaults filled in."""
        known = DEFAULTS[path] if defaults is None else defaults
        if not isinstance(value, Mapping):
            self._refuse(path, value, "must be a mapping")
            return dict(known)
        for name in value:
            if name not in known:
                where = f"{path}.{name}" if path else str(name)
                self.problems.append(f"{where}: unknown; known: {', '.join(sorted(known))}")
        return {**known, **value}

    def number(self, path: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(path, value, "must be a number")
        elif not low <= value <= high:
            self._refuse(path, value, f"must be from {low:g} to {high:g}")
        else:
            return float(value)
        return low

    def switch(self, path: str, value: object) -> bool:
        if not isinstance(value, bool):
            self._refuse(path, value, "must be true or false")
        return value is True

    def ignore(self, path: str, value: object) -> list[str]:
        return self.patterns(f"{path}.ignore", self.section(path, value)["ignore"])

    def patterns(self, path: str, value: object) -> list[str]:
        if not isinstance(value, list):
            self._refuse(path, value, "must be a list of patterns")
            return []
        for pattern in value:
            reason = _pattern_problem(path, pattern)
            if reason:
                self._refuse(path, pattern, reason)
        return [pattern for pattern in value if isinstance(pattern, str)]

    def thresholds(self, value: object) -> dict[str, Threshold]:
        given = self.section("thresholds", value, {name: {} for name in KINDS})
        return {
            name: threshold
            for name in KINDS
            if (threshold := self._threshold(name, given[name])) is not None
        }

    def _threshold(self, name: str, value: object) -> Threshold | None:
        kind = KINDS[name]
        path = f"thresholds.{name}"
        fields = self.section(path, value, threshold_defaults(name))
        hold = self.number(f"{path}.for", fields["for"], 0, 24 * HOUR)
        rule = kind.rule._replace(hold=hold)
        if not kind.is_yes_or_no:
            rule = self._levels(path, fields, hold)
            if kind.is_below and not rule.raise_at < rule.clear_at:
                self._refuse(
                    f"{path}.raise", rule.raise_at, f"must be below clear ({rule.clear_at:g})"
                )
            elif not kind.is_below and not rule.raise_at > rule.clear_at:
                self._refuse(
                    f"{path}.raise", rule.raise_at, f"must be above clear ({rule.clear_at:g})"
                )
        severity = fields["severity"]
        if severity not in SEVERITIES:
            self._refuse(f"{path}.severity", severity, f"must be one of {', '.join(SEVERITIES)}")
        on = self.switch(f"{path}.enabled", fields["enabled"])
        return Threshold(rule, str(severity)) if on else None

    def _levels(self, path: str, fields: Mapping[str, Any], hold: float) -> Rule:
        most = 100.0 if KINDS[path.removeprefix("thresholds.")].unit == "percent" else 1e6
        return Rule(
            self.number(f"{path}.raise", fields["raise"], 0, most),
            self.number(f"{path}.clear", fields["clear"], 0, most),
            hold,
        )

    def _refuse(self, path: str, value: object, reason: str) -> None:
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        self.problems.append(f"{path}: {shown[:100]}: {reason}")


def threshold_defaults(name: str) -> dict[str, Any]:
    """Return one threshold's configuration when nothing is said about it."""
    kind = KINDS[name]
    fields: dict[str, Any] = {
        "enabled": kind.enabled,
        "for": kind.rule.hold,
        "severity": kind.severity,
    }
    if not kind.is_yes_or_no:
        fields |= {"raise": kind.rule.raise_at, "clear": kind.rule.clear_at}
    return fields


def _pattern_problem(path: str, pattern: object) -> str | None:
    if not isinstance(pattern, str) or not pattern:
        return "must be a pattern such as " + ('"/srv/*"' if path.endswith("mounts") else '"x*"')
    if path.endswith("mounts") and pattern[0] not in "/*":
        return 'matches no mount point: they start with "/"'
    if path.endswith("types") and pattern in PSEUDO_TYPES:
        return "is no storage and ignored anyway"
    return None
