"""The templates of agents and their health checks, as systemd judges them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from opmas.core.agent.terms import AgentSpec
from opmas.core.package.manifest import parse_manifest
from opmas.core.package.needs import needs_of
from opmas.core.unit.file import Place, render_dropin
from opmas.packages.yamlfile import read_yaml

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "units"
TEMPLATES = ["opmas-agent@.service", "opmas-probe@.service", "opmas-hook@.service"]
OURS = [*TEMPLATES, "opmas.slice", "opmas-agents.slice"]
# systemd.directives of 254 and later: Debian 12 has 252, which would only warn
TOO_NEW = {"RestartSteps", "RestartMaxDelaySec", "RestartMode", "MemoryPressureWatch", "Upholds"}


def analyze(*argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *argv],
        cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def exposure(folder: Path, unit: str) -> float:
    """The overall exposure, 0.0 (safe) to 10.0, as `systemd-analyze security` tells it."""
    said = analyze("security", "--offline=true", "--no-pager", unit, folder=folder)
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said.stdout)
    assert found, said.stdout + said.stderr
    return float(found[1])


def sandbox_of(unit: str) -> list[str]:
    """The settings of the sandbox: all from DynamicUser= on."""
    lines = [line for line in (UNITS / unit).read_text().splitlines() if line[:1] not in {"", "#"}]
    return lines[lines.index("DynamicUser=yes") :]


def settings_of(unit: str, keys: set[str]) -> dict[str, str]:
    lines = (line.split("=", 1) for line in (UNITS / unit).read_text().splitlines())
    return {line[0]: line[1] for line in lines if line[0] in keys}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for unit in OURS:
        shutil.copy(UNITS / unit, tmp_path)
    return tmp_path


def declare(folder: Path, manifest_document: object) -> str:
    """Make the unit of an agent with everything granted; its name."""
    manifest = parse_manifest(manifest_document, where="agent.yaml")
    grants = tuple(need.name for need in needs_of(manifest))
    place = Place("/usr/lib/opmas/agents/x", "/var/lib/opmas/agents/x/config.json")
    unit = "opmas-agent@x.service"
    (folder / unit).symlink_to("opmas-agent@.service")
    (folder / f"{unit}.d").mkdir()
    text = render_dropin(AgentSpec("x", manifest.name, grants=grants), manifest, place)
    (folder / f"{unit}.d" / "50-opmas.conf").write_text(text)
    return unit


def test_systemd_has_nothing_to_say_about_the_units(folder: Path) -> None:
    said = analyze("verify", "--man=no", *OURS, folder=folder)

    assert (said.stdout + said.stderr, said.returncode) == ("", 0)


def test_no_setting_is_newer_than_debian_12(folder: Path) -> None:
    keys = {
        key for unit in OURS for key in re.findall(r"^(\w+)=", (UNITS / unit).read_text(), re.M)
    }

    assert not keys & TOO_NEW


@pytest.mark.parametrize("unit", TEMPLATES)
def test_what_asks_for_nothing_is_as_closed_as_systemd_can_make_it(
    folder: Path, unit: str
) -> None:
    assert exposure(folder, unit) <= 1.0


def test_hostwatch_with_all_that_it_asks_for_is_hardly_more_open(folder: Path) -> None:
    unit = declare(folder, read_yaml(ROOT / "opmas" / "agents" / "hostwatch" / "agent.yaml"))

    assert exposure(folder, unit) <= 1.5


@pytest.mark.parametrize("unit", ["opmas-probe@.service", "opmas-hook@.service"])
def test_a_health_check_and_a_migration_have_the_sandbox_of_their_agent(unit: str) -> None:
    assert sandbox_of(unit) == sandbox_of("opmas-agent@.service")


def test_a_migration_has_the_limits_of_an_agent() -> None:
    limits = {"MemoryMax", "MemoryHigh", "TasksMax", "CPUQuota", "CPUWeight", "IOWeight"}

    assert settings_of("opmas-hook@.service", limits) == settings_of(
        "opmas-agent@.service", limits
    )


def test_every_setting_of_the_templates_is_judged_alike(folder: Path) -> None:
    judged: list[Any] = [
        json.loads(
            analyze(
                "security", "--offline=true", "--json=short", "--no-pager", unit, folder=folder
            ).stdout
        )
        for unit in TEMPLATES
    ]

    agent, probe, hook = ([each for each in one if each["set"] is False] for one in judged)
    assert agent == probe == hook
