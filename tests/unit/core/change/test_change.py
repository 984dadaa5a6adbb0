"""A change as it is saved, and the tables that its reference is made from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from opmas.core.change import plan
from opmas.core.change.change import (
    DOES,
    FINAL,
    NEXT_STATES,
    ChangeState,
    TaskName,
    TaskState,
    dump_change,
    load_change,
)
from opmas.core.change.evidence import begin
from opmas.core.change.reverting import SHELL_UNDOES, bad_key_of
from opmas.core.change.sight import sight
from opmas.core.change.sighting import baseline
from tests.builders import running, spec

WEB = spec(version="1.0")


def test_a_change_is_read_as_it_was_saved():
    seen = sight(running(), 5.0)
    change = replace(
        plan.update(WEB, "2.0", author="ann", wanted=30.0),
        id=7,
        state=ChangeState.WATCHING,
        facts=("one",),
        follows=(3,),
        was_up=("web",),
        expects="0123",
        watches={"web": begin(baseline(seen), seen)},
    ).with_task(1, replace(plan.update(WEB, "2.0", author="").tasks[1], state=TaskState.DONE))

    again = load_change(json.loads(json.dumps(dump_change(change))))

    assert again == change
    assert again.watches == change.watches


def test_what_an_older_version_saved_expects_nothing():
    saved = dump_change(plan.update(WEB, "2.0", author="ann"))
    del saved["expects"]

    assert load_change(saved).expects == ""


def test_every_state_can_be_left_or_is_final_and_is_reached():
    reached = {after for states in NEXT_STATES.values() for after in states}

    assert reached == set(ChangeState) - {ChangeState.PLANNED}
    assert {
        ChangeState.COMMITTED,
        ChangeState.REVERTED,
        ChangeState.REVERT_FAILED,
        ChangeState.REFUSED,
    } == FINAL


def test_every_task_is_described_and_what_the_shell_undoes_has_an_undo():
    assert set(DOES) == set(TaskName)
    assert all(DOES[name][1] for name in SHELL_UNDOES)


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        (plan.update(WEB, "2.0", author=""), "nap/2.0/"),
        (plan.install("nap", "2.0", {"path": "/x"}, author=""), "nap/2.0/"),
        (plan.update(WEB, "0.9", author="", back=True), None),
        (plan.remove(WEB, purge=False, author=""), None),
    ],
    ids=["update", "install", "rollback", "remove"],
)
def test_what_is_remembered_as_bad_is_a_version(change, bad):
    assert bad_key_of(change) == bad


def test_a_bad_configuration_is_bad_for_its_version_alone():
    change = plan.put(WEB, replace(WEB, config={"naps": 2}), author="", lives=True)
    assert change is not None
    one = replace(change, after={"package": "nap", "version": "1.0", "config": {"naps": 2}})
    other = replace(change, after={"package": "nap", "version": "2.0", "config": {"naps": 2}})

    assert bad_key_of(one) != bad_key_of(other)
    assert str(bad_key_of(one)).startswith("nap/1.0/")
