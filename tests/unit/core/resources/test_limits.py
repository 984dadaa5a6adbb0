"""Limits: how they are written, and which layer wins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.documents.settings import LimitsSection
from opmas.core.documents.sizes import format_size
from opmas.core.resources.limits import (
    DEFAULT_LIMITS,
    MIB,
    HostLimits,
    Origin,
    check_ceilings,
    effective_limits,
    host_limits,
    memory_max,
    parse_limits,
    resolve,
)
from opmas.errors import InvalidError
from tests.unit.core.manifests import python_manifest, spec

TEMPLATE = Path(__file__).parents[4] / "units" / "opmas-agent@.service"


@pytest.mark.parametrize(
    ("written", "size"),
    [("64M", 64 * MIB), ("1g", 1024 * MIB), ("2GiB", 2048 * MIB), ("1048576", MIB), (MIB, MIB)],
)
def test_a_size_is_read_in_each_form(written: object, size: int) -> None:
    assert parse_limits({"memory_max": written}).memory_max == size


@pytest.mark.parametrize("written", ["64", "1.5G", "-1M", "64X", 1.5, True, "1MB2", [], "9" * 20])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(InvalidError, match=r"limits\.memory_max: must be a size like 64M"):
        parse_limits({"memory_max": written})


@pytest.mark.parametrize("written", ["20%", "20", 20])
def test_a_share_is_read_in_each_form(written: object) -> None:
    assert parse_limits({"cpu_quota": written}).cpu_quota == 20


def test_every_fault_is_named_with_the_caller_s_path() -> None:
    with pytest.raises(InvalidError) as refused:
        parse_limits(
            {"tasks": 3, "cpu_weight": 0, "io_weight": 10_001, "cpu_quota": "0%"},
            "agents.web.limits",
        )

    assert refused.value.problems == (
        'agents.web.limits.cpu_quota: must be a share like 20%, from 1% to 100000%, not "0%"',
        "agents.web.limits.cpu_weight: must be a whole number from 1 to 10000, not 0",
        "agents.web.limits.io_weight: must be a whole number from 1 to 10000, not 10001",
        'agents.web.limits.tasks: unknown key; did you mean "tasks_max"?',
    )


def test_without_any_limit_the_template_s_apply() -> None:
    assert effective_limits(spec(), python_manifest()) == DEFAULT_LIMITS


def test_the_agent_s_limit_wins_over_the_package_s() -> None:
    manifest = python_manifest(limits={"tasks_max": 16, "cpu_quota": "20%"})

    limits = effective_limits(spec(limits=Limits(tasks_max=99)), manifest)

    assert (limits.tasks_max, limits.cpu_quota, limits.cpu_weight) == (99, 20, 50)


def test_an_agent_given_more_memory_is_not_throttled_at_the_package_s_mark() -> None:
    manifest = python_manifest(limits={"memory_max": "64M", "memory_high": "48M"})

    limits = effective_limits(spec(limits=Limits(memory_max=400 * MIB)), manifest)

    assert limits.memory_high == 300 * MIB


def test_a_mark_above_the_maximum_comes_down_to_it() -> None:
    manifest = python_manifest(limits={"memory_max": "64M"})

    limits = effective_limits(spec(limits=Limits(memory_high=100 * MIB)), manifest)

    assert (limits.memory_max, limits.memory_high) == (64 * MIB, 64 * MIB)


def test_the_defaults_are_the_figures_of_the_template() -> None:
    found = dict(re.findall(r"^(\w+)=(.*)$", TEMPLATE.read_text(), re.MULTILINE))

    assert found["MemoryMax"] == format_size(DEFAULT_LIMITS.memory_max or 0)
    assert found["MemoryHigh"] == format_size(DEFAULT_LIMITS.memory_high or 0)
    assert found["TasksMax"] == str(DEFAULT_LIMITS.tasks_max)
    assert found["CPUQuota"] == f"{DEFAULT_LIMITS.cpu_quota}%"
    assert found["CPUWeight"] == str(DEFAULT_LIMITS.cpu_weight)
    assert found["IOWeight"] == str(DEFAULT_LIMITS.io_weight)


@pytest.mark.parametrize("own", [None, MIB])
@pytest.mark.parametrize("packages", [None, 2 * MIB])
def test_one_limit_alone_is_that_of_all(own: int | None, packages: int | None) -> None:
    agent = spec(limits=Limits(memory_max=own))
    manifest = python_manifest(limits={} if packages is None else {"memory_max": "2M"})

    assert memory_max(agent, manifest) == effective_limits(agent, manifest).memory_max


HOST = HostLimits(
    defaults=Limits(tasks_max=32, cpu_weight=20, io_weight=30),
    ceilings=Limits(memory_max=128 * MIB, tasks_max=80, io_weight=200),
)


def test_the_nearest_layer_wins_and_is_named() -> None:
    found = resolve(Limits(cpu_quota=10), Limits(cpu_quota=20, tasks_max=16), HOST)

    assert (found.limits.cpu_quota, found.origins["cpu_quota"]) == (10, Origin.AGENT)
    assert (found.limits.tasks_max, found.origins["tasks_max"]) == (16, Origin.PACKAGE)
    assert (found.limits.cpu_weight, found.origins["cpu_weight"]) == (20, Origin.HOST)
    assert (found.limits.io_weight, found.origins["io_weight"]) == (30, Origin.HOST)
    assert resolve(Limits(), Limits()).origins["memory_max"] is Origin.TEMPLATE


def test_what_a_package_wants_above_the_ceiling_is_cut_and_shown() -> None:
    found = resolve(Limits(), Limits(memory_max=512 * MIB, tasks_max=80), HOST)

    assert (found.limits.memory_max, found.limits.memory_high) == (128 * MIB, 96 * MIB)
    assert (found.origins["memory_max"], found.origins["memory_high"]) == (Origin.CEILING,) * 2
    assert found.origins["tasks_max"] is Origin.PACKAGE
    assert found.wanted == {"memory_max": 512 * MIB}


def test_the_template_s_own_limits_are_cut_too() -> None:
    assert effective_limits(spec(), python_manifest(), HOST).memory_max == 128 * MIB


def test_an_agent_that_asks_for_more_than_the_ceiling_is_refused_with_the_key() -> None:
    with pytest.raises(InvalidError) as refused:
        check_ceilings(Limits(memory_max=129 * MIB, tasks_max=80), HOST)

    assert refused.value.problems == (
        (
            "limits.memory_max: must not be above 128M: this host's limits.max_memory_max in"
            " opmas.yaml"
        ),
    )


def test_the_settings_say_the_host_s_limits() -> None:
    section = LimitsSection(
        tasks_max=32, cpu_weight=20, io_weight=30,
        max_memory_max=128 * MIB, max_tasks_max=80, max_io_weight=200,
    )  # fmt: skip

    assert host_limits(section) == HOST


@pytest.mark.parametrize("own", [None, MIB, 500 * MIB])
def test_one_limit_alone_is_cut_like_all(own: int | None) -> None:
    agent = spec(limits=Limits(memory_max=own))

    alone = memory_max(agent, python_manifest(), HOST)

    assert alone == effective_limits(agent, python_manifest(), HOST).memory_max
