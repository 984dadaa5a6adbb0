"""Which change is the likely cause of failures, and which dependency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.agent.condition import dump_spec
from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.agent.ties import Ties
from opmas.core.change import engine, plan
from opmas.core.change.knownbad import Bad, key
from opmas.core.change.surroundings import Surroundings
from opmas.core.health.report import Check, Report
from opmas.core.health.vitals import Said, Vitals
from opmas.core.recovery.alteration import (
    Alteration,
    dump_alteration,
    load_alteration,
    part_digest,
)
from opmas.core.recovery.budget import Budget
from opmas.core.recovery.context import Context
from opmas.core.recovery.culprit import RELOADS_WITHIN, culprit
from opmas.core.recovery.policy import Policy
from opmas.core.recovery.suspicion import excused, suspicion
from opmas.core.roster import Roster
from tests.builders import agent, exited, running, spec

COMMITTED = 1000.0
SINCE = 1100.0
BEFORE = {"version": "1.0"}


def altered(**changes):
    now_is = dump_spec(spec(version="2.0"))
    return Alteration(
        **{
            "change": 7,
            "kind": "update",
            "at": COMMITTED,
            "was_well": True,
            "before": BEFORE,
            "digest": part_digest(now_is, BEFORE),
            "bad_key": key("nap", "2.0"),
            **changes,
        }
    )


def failing(**changes):
    given = {
        "spec": spec(version="2.0"),
        "altered": altered(),
        "failures": 1,
        "failing_since": SINCE,
    }
    return running(**{**given, **changes})


def asked(agent, *others, since=SINCE, now=SINCE + 60, policy=None, cause=Reason.CRASHED, **of):
    agents = {a.name: a for a in (agent, *others)}
    whole = Roster(agents, policy=policy or Policy(), **of)
    return Context(whole, agent.spec).suspicion(agent, cause, since, now)


def test_a_change_after_which_a_well_agent_fails_is_suspected():
    assert asked(failing()).change == 7


@pytest.mark.parametrize(
    ("why_not", "agent", "of"),
    [
        ("none that could be undone", failing(altered=None), {}),
        ("undoes no change", failing(), {"policy": Policy(undo=False)}),
        ("undone already", failing(altered=altered(undone=True)), {}),
        ("not lately", failing(), {"now": COMMITTED + 3601}),
        ("not lately", failing(), {"now": COMMITTED - 61}),
        ("no better before", failing(altered=altered(was_well=False)), {}),
        ("failed before", failing(), {"since": COMMITTED - 1}),
        ("changed again", failing(spec=spec(version="3.0")), {}),
        ("bad, too", failing(), {"bad": {key("nap", "1.0"): Bad(1, 9999.0, "x")}}),
        ("disk is full", failing(), {"around": Surroundings(disk_free_bytes=0)}),
        ("outside", failing(unit=exited(status=69)), {}),
        ("depends on", failing(), {"ties": {("nap", "2.0"): Ties(requires=("db",))}}),
    ],
)
def test_a_change_is_not_suspected_when(why_not, agent, of):
    found = asked(agent, **of)

    assert found.change == 0
    assert why_not in found.why_not


def test_while_another_change_goes_on_none_is_suspected():
    agent = failing()
    whole = Roster({"web": agent}, policy=Policy())
    whole, _ = engine.propose(whole, plan.update(agent.spec, "3.0", author="ann"))

    found = suspicion(whole, agent, whole.policy, Reason.CRASHED, SINCE, SINCE)

    assert "another change goes on" in found.why_not


def test_peers_that_were_not_changed_and_fail_too_excuse_it():
    alone = running("b", spec=spec("b"), failures=1, failing_since=SINCE + 1)
    same = replace(alone, altered=altered())

    assert "old version" in asked(failing(), alone).why_not
    assert asked(failing(), same).change == 7
    assert asked(failing(), replace(alone, failing_since=COMMITTED - 1)).change == 7


def test_a_host_without_cpu_excuses_a_hang_and_no_crash():
    busy = {"around": Surroundings(cpu_pressure=95.0)}

    assert asked(failing(), cause=Reason.WATCHDOG, **busy).change == 0
    assert asked(failing(), cause=Reason.CRASHED, **busy).change == 7


def test_an_agent_that_says_that_a_server_is_away_is_excused():
    check = Check("server", Health.UNHEALTHY, "connection-refused")
    said = Said(Report(Health.UNHEALTHY, "", (check,)), 0.0)
    agent = failing(vitals=Vitals(reported=said))

    assert excused(Roster({"web": agent}), agent, Reason.UNHEALTHY) is not None


def test_an_alteration_survives_json():
    assert load_alteration(dump_alteration(altered())) == altered()


# ---- the dependency that is the cause ----

TIES = {("nap", ""): Ties(requires=("db",)), ("db", ""): Ties(requires=("disk",))}


def sick(name, **changes):
    said = Said(Report(Health.UNHEALTHY, "no"), 0.0)
    return running(name, spec=spec(name, package=name), vitals=Vitals(reported=said), **changes)


def guilty(*others, now=1000.0, **of):
    victim = running()
    well = running("disk", spec=spec("disk", package="disk"))
    agents = {a.name: a for a in (victim, well, *others)}
    return culprit(Roster(agents, ties=TIES, **of), victim, 600.0, now)


def test_a_dependency_that_runs_and_is_unhealthy_is_the_cause():
    assert guilty(sick("db")) == "db"
    assert guilty(running("db", spec=spec("db", package="db"))) == ""
    assert guilty() == ""


def test_the_one_at_the_bottom_is_restarted():
    assert guilty(sick("db"), sick("disk")) == "disk"


def test_one_that_suffers_from_outside_is_not_restarted():
    away = (Check("upstream", Health.UNHEALTHY, "connection-refused"),)
    said = Said(Report(Health.UNHEALTHY, "no", away), 0.0)
    suffering = replace(sick("db"), vitals=Vitals(reported=said))
    disk_down = agent("disk", spec=spec("disk", package="disk"), phase=Phase.STOPPED)

    assert guilty(suffering) == ""
    assert guilty(sick("db"), disk_down) == ""


def test_one_that_hangs_in_its_reload_is_the_cause():
    reloading = running("db", spec=spec("db", package="db"), phase=Phase.RELOADING)

    assert guilty(reloading, now=RELOADS_WITHIN - 1) == ""
    assert guilty(reloading, now=RELOADS_WITHIN) == "db"


@pytest.mark.parametrize(
    "changes",
    [
        {"held": True},
        {"paused": True},
        {"renewed_at": 500.0},
        {"spec": spec("db", package="db", desired=Desired.STOPPED)},
    ],
)
def test_one_that_is_somebody_elses_matter_is_left_alone(changes):
    assert guilty(replace(sick("db"), **changes)) == ""


def test_none_is_restarted_beyond_the_hosts_budget():
    assert guilty(sick("db"), budget=Budget(1, 1.0).taken(1000.0)) == ""


def test_agents_that_require_each_other_end_the_search():
    circle = {**TIES, ("db", ""): Ties(requires=("web", "db"))}
    victim = running()

    found = culprit(Roster({"web": victim, "db": sick("db")}, ties=circle), victim, 600.0, 1000.0)

    assert found == "db"
