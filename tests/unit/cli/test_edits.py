import argparse
import io

import pytest

from opmas.cli.edits import (
    RECOVERY,
    changed_config,
    changed_limits,
    parse_value,
    read_config,
    recovery,
)
from opmas.cli.exits import UsageError
from opmas.core.recovery.policy import READERS
from opmas.errors import InvalidError


def options(config_file=None, sets=None, unsets=None):
    return argparse.Namespace(config_file=config_file, sets=sets, unsets=unsets)


def test_a_value_is_set_deep_and_its_neighbours_stay():
    config = {"cpu": {"warn": 80, "bad": 95}}

    changed = changed_config(config, options(sets=["cpu.warn=90", "name=web 1"]))

    assert changed == {"cpu": {"warn": 90, "bad": 95}, "name": "web 1"}
    assert config == {"cpu": {"warn": 80, "bad": 95}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ('["a", 1]', ["a", 1]),
        ("web", "web"),
        ("", ""),
        ("NaN", "NaN"),
        ('"90"', "90"),
        ("a=b", "a=b"),
    ],
)
def test_a_value_is_json_or_else_text(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize("text", ["novalue", "=1", "a..b=1", ".a=1"])
def test_a_set_without_key_and_value_is_refused(text):
    with pytest.raises(UsageError, match="write KEY=VALUE"):
        changed_config({}, options(sets=[text]))


def test_a_value_cannot_be_set_below_a_value():
    with pytest.raises(UsageError, match=r'cannot set "a\.b": a is a value'):
        changed_config({"a": 1}, options(sets=["a.b=2"]))


def test_unset_takes_a_value_away():
    changed = changed_config({"a": {"b": 1, "c": 2}}, options(unsets=["a.b"]))

    assert changed == {"a": {"c": 2}}


def test_unset_of_what_is_not_set_names_the_nearest():
    with pytest.raises(UsageError, match='does not set it; did you mean "interval"'):
        changed_config({"interval": 1}, options(unsets=["intreval"]))


def test_a_file_replaces_the_whole_configuration_and_set_comes_after_it(tmp_path):
    path = tmp_path / "web.yaml"
    path.write_text("interval: 5\ndisks: [/]\n")

    changed = changed_config({"old": 1}, options(config_file=str(path), sets=["interval=6"]))

    assert changed == {"interval": 6, "disks": ["/"]}


def test_a_json_file_is_read_too(tmp_path):
    path = tmp_path / "web.json"
    path.write_text('{"interval": 5}')

    assert read_config(str(path)) == {"interval": 5}


def test_a_hyphen_reads_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("interval: 7"))

    assert read_config("-") == {"interval": 7}


@pytest.mark.parametrize(
    ("text", "fault"),
    [("a: [1", "line"), ("- 1\n- 2", "it must hold names and values"), ("a: 1\na: 2", "a")],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, text, fault):
    path = tmp_path / "web.yaml"
    path.write_text(text)

    with pytest.raises(InvalidError, match=f"web.yaml.*{fault}"):
        read_config(str(path))


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidError, match=r"absent\.yaml: no such file"):
        read_config(str(tmp_path / "absent.yaml"))


def test_limits_are_numbers_or_sizes_and_an_empty_one_is_forgotten():
    changed = changed_limits({"cpu_weight": 70}, ["memory_max=64M", "tasks_max=20", "cpu_weight="])

    assert changed == {"memory_max": "64M", "tasks_max": 20}


def test_an_unknown_limit_names_the_nearest():
    with pytest.raises(UsageError, match='did you mean "memory_max"'):
        changed_limits({}, ["memry_max=64M"])


def test_the_keys_of_the_policy_are_those_of_the_manager():
    assert set(RECOVERY) == set(READERS)


def test_a_policy_is_changed_key_by_key():
    texts = ["first_delay=5", "undo=false", "give_up_on=2,78", "jitter=", "max_delay=soon"]

    found = recovery({"jitter": 3, "undo_after": 1}, texts)

    assert found["recovery"] == {
        "undo_after": 1,
        "first_delay": 5,
        "undo": False,
        "give_up_on": [2, 78],
        "max_delay": "soon",  # the manager says what is wrong with it
    }


def test_a_manager_is_not_asked_for_a_policy_that_nobody_set():
    assert recovery({}, None) == {}
    assert recovery({"jitter": 3}, ["jitter="]) == {"recovery": {}}


def test_an_unknown_key_of_the_policy_is_named_with_the_nearest():
    with pytest.raises(UsageError, match='did you mean "first_delay"'):
        recovery({}, ["first_dealy=1"])
    with pytest.raises(UsageError, match="the keys are"):
        recovery({}, ["zzz"])
