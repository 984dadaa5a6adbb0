"""Plans: which tasks lead from one version, or one package, to another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.agent.terms import AgentSpec
from opmas.core.change import plan
from opmas.core.change.change import Change, Kind, TaskName

SPEC = AgentSpec(name="web", package="nap", version="2.0.0")


def put(version: str, *, back: bool) -> Change:
    change = plan.put(SPEC, replace(SPEC, version=version), author="ann", lives=True, back=back)
    assert change is not None
    return change


def update(version: str, *, back: bool) -> Change:
    return plan.update(SPEC, version, author="ann", back=back)


def position(change: Change, name: TaskName) -> int:
    return [task.name for task in change.tasks].index(name)


@pytest.mark.parametrize("make", [put, update])
def test_data_is_migrated_back_while_the_newer_version_is_there(make) -> None:
    change = make("1.0.0", back=True)

    assert change.kind is Kind.ROLLBACK
    assert position(change, TaskName.MIGRATE) < position(change, TaskName.SWITCH)


@pytest.mark.parametrize("make", [put, update])
def test_data_is_migrated_once_the_newer_version_is_there(make) -> None:
    change = make("3.0.0", back=False)

    assert change.kind is Kind.UPDATE
    assert position(change, TaskName.MIGRATE) > position(change, TaskName.SWITCH)


def test_what_can_be_put_back_is_removed_first() -> None:
    change = plan.remove_package("nap", ["1.0", "2.0"], {"job": "apt-remove"}, author="ann")

    assert [task.name for task in change.tasks] == ["check", "deb", "uninstall", "uninstall"]
