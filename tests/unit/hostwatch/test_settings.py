"""The configuration: agent.yaml and the code say the same, and what is wrong is named."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from opmas.agents.hostwatch.hostwatch.rules import KINDS
from opmas.agents.hostwatch.hostwatch.settings import (
    DEFAULTS,
    SettingsError,
    read_settings,
    threshold_defaults,
)
from opmas.agents.hostwatch.hostwatch.thresholds import Rule

PACKAGE = Path("opmas/agents/hostwatch")
MANIFEST = yaml.safe_load((PACKAGE / "agent.yaml").read_text())
SCHEMA = MANIFEST["config"]["schema"]


def problems_of(config):
    with pytest.raises(SettingsError) as caught:
        read_settings(config)
    return caught.value.problems


def test_the_defaults_of_agent_yaml_are_those_of_the_code():
    thresholds = {name: threshold_defaults(name) for name in KINDS}

    assert MANIFEST["config"]["defaults"] == {**DEFAULTS, "thresholds": thresholds}


def test_the_defaults_satisfy_the_schema_and_the_code():
    jsonschema.Draft202012Validator(SCHEMA).validate(MANIFEST["config"]["defaults"])

    assert read_settings(MANIFEST["config"]["defaults"]) == read_settings({})


def test_the_schema_knows_every_threshold():
    assert list(SCHEMA["properties"]["thresholds"]["properties"]) == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_every_threshold_is_explained_in_the_readme(name):
    assert f"| `{name}` |" in (PACKAGE / "README.md").read_text()


def test_half_a_threshold_keeps_the_other_half_of_its_defaults():
    settings = read_settings({"thresholds": {"filesystem_used": {"raise": 95}}})

    assert settings.thresholds["filesystem_used"].rule == Rule(95, 85, 0)


def test_a_threshold_that_is_off_is_not_there():
    settings = read_settings({"thresholds": {"temperature": {"enabled": False}}})

    assert "temperature" not in settings.thresholds
    assert "disk_busy" not in settings.thresholds


def test_failed_units_need_not_be_asked_for():
    settings = read_settings({"failed_units": {"enabled": False}})

    assert settings.failed_units_period is None


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"interval": 0}, "interval: 0: must be from 1 to 3600"),
        ({"interval": "10"}, "interval: '10': must be a number"),
        ({"interval": True}, "interval: True: must be a number"),
        ({"failed_units": {"period": 1}}, "failed_units.period: 1: must be from 10 to 3600"),
        ({"failed_units": {"enabled": "no"}}, "failed_units.enabled: 'no': must be true or false"),
        ({"filesystems": []}, "filesystems: []: must be a mapping"),
        ({"filesystems": {"timeout": 60}}, "filesystems.timeout: 60: must be from 0.1 to 5"),
        (
            {"filesystems": {"ignore_mounts": ["x"]}},
            "filesystems.ignore_mounts: 'x': matches no mount point: they start with \"/\"",
        ),
        (
            {"filesystems": {"ignore_types": ["proc"]}},
            "filesystems.ignore_types: 'proc': is no storage and ignored anyway",
        ),
        (
            {"network": {"ignore": "lo"}},
            "network.ignore: 'lo': must be a list of patterns",
        ),
        ({"disks": {"ignore": [""]}}, "disks.ignore: '': must be a pattern such as \"x*\""),
        ({"disks": {"ignored": []}}, "disks.ignored: unknown; known: ignore"),
        (
            {"thresholds": {"cpu_usage": {"raise": 80}}},
            "thresholds.cpu_usage.raise: 80: must be above clear (85)",
        ),
        (
            {"thresholds": {"cpu_usage": {"raise": 85}}},
            "thresholds.cpu_usage.raise: 85: must be above clear (85)",
        ),
        (
            {"thresholds": {"memory_available": {"raise": 20}}},
            "thresholds.memory_available.raise: 20: must be below clear (15)",
        ),
        (
            {"thresholds": {"swap_used": {"raise": 101}}},
            "thresholds.swap_used.raise: 101: must be from 0 to 100",
        ),
        (
            {"thresholds": {"swap_used": {"severity": "critical"}}},
            "thresholds.swap_used.severity: 'critical': must be one of info, warning, error",
        ),
        (
            {"thresholds": {"unit_failed": {"raise": 2}}},
            "thresholds.unit_failed.raise: unknown; known: enabled, for, severity",
        ),
    ],
)
def test_what_is_wrong_is_named_with_field_value_and_reason(config, problem):
    assert problem in problems_of(config)


def test_an_unknown_field_is_named_with_the_known_ones():
    (problem,) = problems_of({"thresholds": {"cpu": {}}})

    assert problem.startswith("thresholds.cpu: unknown; known: cpu_steal, cpu_usage, ")


def test_all_problems_are_named_at_once():
    problems = problems_of({"interval": 0, "x": 1, "thresholds": {"temperature": {"clear": 90}}})

    assert len(problems) == 3


@pytest.mark.parametrize(
    "config",
    [
        {"interval": 0},
        {"disks": {"ignored": []}},
        {"filesystems": {"ignore_mounts": ["srv/*"]}},
        {"thresholds": {"unit_failed": {"raise": 2}}},
        {"thresholds": {"swap_used": {"severity": "critical"}}},
    ],
)
def test_the_schema_refuses_them_as_well(config):
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(config)
