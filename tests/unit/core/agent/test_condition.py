"""What is saved comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from opmas.core.agent.condition import (
    differs,
    dump_condition,
    dump_spec,
    load_condition,
    load_spec,
)
from opmas.core.agent.state import Pending, Then
from opmas.core.agent.terms import Desired, Health, Limits, Phase, Reason
from opmas.core.health.report import Report
from opmas.core.health.vitals import Said, Vitals
from opmas.core.recovery.alteration import Alteration
from opmas.core.recovery.decided import Cure, Decided, Remedy
from tests.builders import agent, killed, spec


def test_a_specification_survives_json():
    whole = spec(
        desired=Desired.STOPPED,
        config={"a": [1, {"b": None}]},
        limits=Limits(memory_max=1, cpu_quota=2),
        grants=("network=full",),
        after=("other",),
    )

    assert load_spec(json.loads(json.dumps(dump_spec(whole)))) == whole


def test_a_condition_survives_json_but_for_what_systemd_tells_anew():
    whole = agent(
        phase=Phase.STOPPING,
        reason=Reason.REQUESTED,
        since=12.5,
        message="m",
        pending=Pending.STOP,
        then=Then.START,
        held=True,
        failures=3,
        retry_at=99.0,
        started_with="abc",
        last_exit=killed(),
        failing_since=1e9,
        renewed_at=3.0,
        decisions=(Decided(1e9, "undo", "undo", 10.0, ("It failed.",), {"failures": 2}),),
        altered=Alteration(7, "config", 1e9, was_well=True, before={"config": {"a": 1}}),
        remedy=Remedy(Cure.UNDO, "7"),
    )
    seen = replace(whole, unit=killed(), jobs=frozenset({1}), foreign_job=True, settle_at=5.0)

    back = load_condition(whole.spec, json.loads(json.dumps(dump_condition(seen))))

    assert back == whole


@pytest.mark.parametrize("field", sorted({*dump_condition(agent())} - {"health"}))
def test_each_part_of_a_condition_that_changes_is_saved(field):
    before = agent(last_exit=killed())

    assert not differs(before, agent(last_exit=killed(), unit=killed()))
    other: dict[str, Any] = {field: "another"}
    assert differs(before, replace(before, **other))


def test_health_that_changes_is_saved_and_its_words_are_not():
    degraded = Said(Report(Health.DEGRADED, "slow"), 1.0)
    before = agent(vitals=Vitals(reported=degraded))
    slower = Said(Report(Health.DEGRADED, "slower"), 2.0)

    assert not differs(before, agent(vitals=Vitals(reported=slower)))
    assert differs(before, agent())


def test_what_an_older_version_saved_knows_nothing_of_the_ladder():
    saved = dump_condition(agent(failures=2))
    for key in ("decisions", "altered", "remedy", "failing_since", "renewed_at"):
        del saved[key]

    back = load_condition(spec(), saved)

    assert (back.failures, back.decisions, back.altered, back.remedy) == (2, (), None, None)
