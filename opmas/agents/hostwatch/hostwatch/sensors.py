"""Temperatures of the host's sensors, from /sys/class/hwmon and /sys/class/thermal.

Sensors are looked for once and then only read. hwmon is the richer; a thermal zone that is a
hwmon chip too (the kernel registers most of them so) is read once.
"""

from __future__ import annotations

from typing import NamedTuple

from .files import list_names, read_text

# Sensors that are not wired answer 0 K, -128, 255 or the like.
PLAUSIBLE_CELSIUS = (-60.0, 200.0)


class Sensor(NamedTuple):
    """A temperature to read: `name` is unique on this host, such as `coretemp/package id 0`."""

    name: str
    path: str


def parse_temperature(text: str) -> float | None:
    """Read millidegrees as the kernel writes them; None for what no sensor can mean."""
    try:
        celsius = int(text) / 1000
    except ValueError:
        return None
    low, high = PLAUSIBLE_CELSIUS
    # A sensor without power or wire says exactly 0.
    return celsius if celsius and low < celsius < high else None


def find_sensors(sys_root: str) -> list[Sensor]:
    """Look for all sensors; the names stay the same over reboots where the chips' order does."""
    found = [*_hwmon(f"{sys_root}/class/hwmon"), *_thermal(f"{sys_root}/class/thermal")]
    names: dict[str, int] = {}
    sensors = []
    for name, path in found:
        names[name] = names.get(name, 0) + 1
        again = names[name]
        sensors.append(Sensor(name if again == 1 else f"{name} #{again}", path))
    return sensors


def read_temperatures(sensors: list[Sensor]) -> dict[str, float]:
    """Return degrees Celsius by the sensor's name, of those that answer."""
    found = {sensor.name: parse_temperature(read_text(sensor.path) or "") for sensor in sensors}
    return {name: celsius for name, celsius in found.items() if celsius is not None}


def _hwmon(top: str) -> list[tuple[str, str]]:
    found = []
    for chip in list_names(top):
        name = _line(f"{top}/{chip}/name") or chip
        for file in list_names(f"{top}/{chip}"):
            if file.startswith("temp") and file.endswith("_input"):
                which = file.removesuffix("_input")
                label = _line(f"{top}/{chip}/{which}_label") or which
                found.append((f"{name}/{label}".lower(), f"{top}/{chip}/{file}"))
    return found


def _thermal(top: str) -> list[tuple[str, str]]:
    found = []
    for zone in list_names(top):
        if not zone.startswith("thermal_zone"):
            continue  # a cooling device
        if not any(name.startswith("hwmon") for name in list_names(f"{top}/{zone}")):
            kind = _line(f"{top}/{zone}/type") or zone
            found.append((f"thermal/{kind}".lower(), f"{top}/{zone}/temp"))
    return found


def _line(path: str) -> str:
    return (read_text(path) or "").strip()
