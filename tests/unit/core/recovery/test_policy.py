"""The recovery policy: four layers, the nearest wins."""

from __future__ import annotations

import dataclasses
import json

import pytest

from opmas.core.agent.condition import dump_spec, load_spec
from opmas.core.agent.terms import AgentSpec
from opmas.core.documents.settings import parse_settings
from opmas.core.recovery.context import policy_of
from opmas.core.recovery.policy import (
    DEFAULT_POLICY,
    NO_RECOVERY,
    READERS,
    Policy,
    Recovery,
    dump_recovery,
    effective_policy,
    load_recovery,
    parse_recovery,
)
from opmas.core.roster import Roster
from opmas.errors import InvalidError
from tests.builders import spec


def test_the_keys_are_the_same_in_every_layer():
    of_policy = {each.name for each in dataclasses.fields(Policy)}
    of_layer = {each.name for each in dataclasses.fields(Recovery)}

    assert of_policy == of_layer == set(READERS)


def test_the_nearest_layer_wins_for_each_key():
    host = Policy(first_delay=5, max_failures=9, undo=False)
    package = Recovery(max_failures=3, slow_probe=60)
    own = Recovery(slow_probe=0, give_up_on=(2,))

    found = effective_policy(host, package, own)

    assert (found.first_delay, found.max_failures, found.undo) == (5, 3, False)
    assert (found.slow_probe, found.give_up_on) == (0, (2,))


def test_a_longest_delay_is_never_below_the_first():
    found = effective_policy(DEFAULT_POLICY, Recovery(first_delay=900), NO_RECOVERY)

    assert found.max_delay == 900


def test_the_policy_of_an_agent_is_that_of_its_version():
    roster = Roster(policies={("nap", "2.0"): Recovery(max_failures=1)})

    assert policy_of(roster, spec(version="2.0")).max_failures == 1
    assert policy_of(roster, spec(version="1.0")) is roster.policy
    assert policy_of(roster, spec(recovery=Recovery(jitter=0))).jitter == 0


def test_a_layer_survives_json_and_one_that_says_nothing_is_short():
    layer = Recovery(undo=False, give_up_on=(2, 78))

    assert load_recovery(json.loads(json.dumps(dump_recovery(layer)))) == layer
    assert dump_recovery(NO_RECOVERY) == {}
    assert load_recovery({"of_a_newer_version": 1}) is NO_RECOVERY


def test_an_agent_that_an_older_version_saved_has_no_layer():
    saved = dump_spec(AgentSpec("web", "nap"))
    del saved["recovery"]

    assert load_spec(saved).recovery is NO_RECOVERY


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"first_delay": 0}, "recovery.first_delay: must be a whole number"),
        ({"jitter": 91}, "recovery.jitter"),
        ({"undo": "yes"}, "recovery.undo: must be true or false"),
        ({"give_up_on": [0]}, "recovery.give_up_on"),
        ({"give_up_on": 78}, "recovery.give_up_on: must be a list"),
        ({"first_delay": 20, "max_delay": 10}, "recovery.max_delay: must not be below"),
        ({"first_dealy": 1}, 'unknown key; did you mean "first_delay"?'),
    ],
)
def test_each_fault_is_named(document, problem):
    with pytest.raises(InvalidError) as caught:
        parse_recovery(document)

    assert problem in caught.value.problems[0]


def test_the_host_sets_its_policy_and_its_budget():
    document = {"recovery": {"first_delay": 3, "host_per_minute": 0}}

    found = parse_settings(document, {"OPMAS_RECOVERY_GIVE_UP_ON": "2:78"}).recovery

    assert found.policy == dataclasses.replace(DEFAULT_POLICY, first_delay=3, give_up_on=(2, 78))
    assert (found.budget.burst, found.budget.per_minute) == (20, 0.0)
