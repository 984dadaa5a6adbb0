"""An agent's health in sentences."""

from __future__ import annotations

from opmas.core.agent.terms import Health, Phase
from opmas.core.health.report import Check, Report
from opmas.core.health.vitals import Lack, Said, Sign, Traits, Vitals
from opmas.core.health.words import WHO, health_sentences
from tests.builders import agent, running


def test_nothing_is_said_of_one_that_does_not_run():
    assert health_sentences(agent(phase=Phase.STOPPED), 5.0) == ()


def test_a_healthy_agent_is_said_in_one_sentence_that_names_what_it_rests_on():
    vitals = Vitals(reported=Said(Report(Health.HEALTHY), 3.0), traits=Traits(watchdog=10))

    told = health_sentences(running(vitals=vitals), 5.0)

    facts = "unit (5 s ago), watchdog, readiness (5 s ago), report (2 s ago)"
    assert told == (f"Its health is healthy, by {facts}.",)


def test_a_check_without_a_message_is_told_by_its_code():
    checks = (Check("pool", Health.UNHEALTHY, "pool-empty"), Check("disk", Health.UNHEALTHY))
    vitals = Vitals(reported=Said(Report(Health.UNHEALTHY, "", checks), 5.0))

    told = health_sentences(running(vitals=vitals), 5.0)

    assert told[0] == "Its health is unhealthy: pool: pool-empty; disk: unhealthy."
    assert "It says itself (report/pool, 0 s ago): pool-empty." in told
    assert "It says itself (report/disk, 0 s ago): unhealthy." in told


def test_each_bad_fact_is_named_with_who_says_so_and_how_old_it_is():
    checks = (Check("disk", Health.DEGRADED, "full", "disk is full"),)
    vitals = Vitals(
        reported=Said(Report(Health.DEGRADED, "", checks), 10.0),
        signs=(Sign("memory-near-limit", "it uses 97 % of its memory"),),
        signs_at=20.0,
        lacks=(Lack("db", 'agent "db" is unhealthy', 0.0),),
    )

    told = health_sentences(running(vitals=vitals), 7300.0)

    assert told[0] == "Its health is degraded: disk: disk is full."
    assert "It says itself (report/disk, 2 h ago): disk is full." in told
    assert (
        "The kernel shows (pressure/memory-near-limit, 2 h ago): it uses 97 % of its memory."
        in told
    )
    assert 'OPMAS sees (dependency/db, 2 h ago): agent "db" is unhealthy.' in told


def test_one_that_is_not_ready_is_told_so():
    told = health_sentences(running(vitals=Vitals(traits=Traits(check=True))), 130.0)

    assert "It is not ready to serve." in told
    assert any("(readiness, 2 min ago)" in sentence for sentence in told)


def test_every_source_has_its_words():
    assert set(WHO) == {"agent", "probe", "systemd", "kernel", "opmas"}
