"""Which versions must stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from opmas.core.agent.condition import dump_spec
from opmas.core.agent.state import Agent
from opmas.core.agent.terms import AgentSpec
from opmas.core.change import plan
from opmas.core.change.change import Change, ChangeState
from opmas.core.roster import Roster
from opmas.manager.changes.uses import uses
from opmas.packages.collection import Packages

SPEC = AgentSpec(name="web", package="nap", version="1.0")
NONE = Packages()


def roster(*changes: Change, **agents: AgentSpec) -> Roster:
    numbered = {i: replace(c, id=i) for i, c in enumerate(changes, 1)}
    return Roster({n: Agent(spec=replace(s, name=n)) for n, s in agents.items()}, changes=numbered)


def begun(change: Change, spec: AgentSpec, **more: Any) -> Change:
    before = dump_spec(spec)
    return replace(change, before=before, after={**before, **change.wish}, **more)


def test_what_agents_run_stays() -> None:
    found = uses("nap", roster(web=SPEC, other=replace(SPEC, package="doze", version="3.0")), NONE)

    assert found == {"1.0": 'agent "web" runs it'}


def test_where_a_change_leads_and_where_it_goes_back_to_stays() -> None:
    change = begun(plan.update(SPEC, "2.0", author="ann"), SPEC, state=ChangeState.WATCHING)

    found = uses("nap", roster(change, web=replace(SPEC, version="2.0")), NONE)

    assert found == {"2.0": 'agent "web" runs it', "1.0": "change 1 may go back to it"}


def test_what_is_only_planned_stays() -> None:
    change = plan.update(SPEC, "2.0", author="ann")

    assert set(uses("nap", roster(change), NONE)) == {"2.0"}


def test_a_change_of_another_package_or_that_ended_claims_nothing() -> None:
    other = plan.update(replace(SPEC, package="doze"), "2.0", author="ann")
    ended = begun(plan.update(SPEC, "2.0", author="ann"), SPEC, state=ChangeState.COMMITTED)

    assert uses("nap", roster(other, ended), NONE) == {}


def test_a_change_of_a_configuration_alone_names_no_version_before_it_begins() -> None:
    change = plan.put(SPEC, replace(SPEC, config={"a": 1}), author="ann", lives=True)
    assert change is not None

    assert uses("nap", roster(change), NONE) == {}


def test_a_change_does_not_stand_in_its_own_way() -> None:
    change = plan.update(SPEC, "2.0", author="ann")

    assert uses("nap", roster(change), NONE, without=1) == {}
