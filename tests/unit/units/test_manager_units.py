"""The units of the manager, its rescue and its guard, as systemd judges them."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from opmas.rescue.judge import STEADY
from tests.unit.units.test_agent_units import TOO_NEW, UNITS, analyze, exposure

if TYPE_CHECKING:
    from pathlib import Path

MANAGER = "opmas-manager.service"
OURS = [MANAGER, "opmas-rescue.service", "opmas-guard.service"]
SECONDS = {"": 1, "s": 1, "min": 60}


def setting(unit: str, key: str) -> str:
    (found,) = re.findall(rf"(?m)^{key}=(.*)$", (UNITS / unit).read_text())
    return str(found)


def seconds(key: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w*)", setting(MANAGER, key)).groups()  # type: ignore[union-attr]
    return int(number) * SECONDS[unit]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units, with programs that are there without the package."""
    for unit in OURS:
        text = (UNITS / unit).read_text()
        (tmp_path / unit).write_text(re.sub(r"/usr/lib/opmas/[a-z-]+", "/usr/bin/true", text))
    for path in UNITS.glob("*.slice"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_systemd_has_nothing_to_say_about_the_units(folder: Path) -> None:
    said = analyze("verify", "--man=no", *OURS, folder=folder)

    assert (said.stdout + said.stderr, said.returncode) == ("", 0)


@pytest.mark.parametrize("unit", OURS)
def test_no_setting_is_newer_than_debian_12(unit: str) -> None:
    assert not TOO_NEW & set(re.findall(r"(?m)^(\w+)=", (UNITS / unit).read_text()))


@pytest.mark.parametrize(("unit", "most"), [(MANAGER, 2.0), ("opmas-rescue.service", 1.0)])
def test_the_sandboxes_are_tight(folder: Path, unit: str, most: float) -> None:
    assert exposure(folder, unit) <= most


@pytest.mark.parametrize("key", ["WatchdogSec", "TimeoutStartSec"])
def test_a_manager_that_hangs_again_and_again_reaches_its_start_limit(key: str) -> None:
    one = seconds(key) + seconds("TimeoutStopSec") + seconds("RestartSec")

    assert one * int(setting(MANAGER, "StartLimitBurst")) < seconds("StartLimitIntervalSec")


@pytest.mark.parametrize("key", ["WatchdogSec", "TimeoutStopSec"])
def test_no_hang_is_long_enough_to_pass_for_being_up(key: str) -> None:
    assert seconds(key) + seconds("TimeoutStopSec") < STEADY


def test_what_the_manager_hands_over_to_has_no_start_limit() -> None:
    assert setting(MANAGER, "OnFailure") == "opmas-rescue.service"
    assert setting("opmas-rescue.service", "StartLimitIntervalSec") == "0"
