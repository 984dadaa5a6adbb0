"""What an agent is told of its package and of those that it requires."""

from __future__ import annotations

from opmas.core import events, roster
from opmas.core.agent.state import Agent, health
from opmas.core.agent.terms import Health
from opmas.core.agent.ties import Ties
from opmas.core.health.report import Report
from opmas.core.health.vitals import Traits, Vitals
from opmas.core.roster import Roster
from tests.builders import inactive, running, spec

BAD, WELL = Report(Health.UNHEALTHY, "no disk"), Report(Health.HEALTHY)
TIES = {("web", ""): Ties(requires=("db",)), ("sql", ""): Ties(traits=Traits(check=True))}


def host(*agents: Agent) -> Roster:
    return Roster(agents={a.name: a for a in agents}, ties=TIES)


def web() -> Agent:
    return running("web", spec=spec("web", package="web"))


def db() -> Agent:
    return running("db", spec=spec("db", package="db"))


def lacks(agents: Roster) -> list[str]:
    return [lack.why for lack in agents.agents["web"].vitals.lacks]


def test_an_agent_is_degraded_while_what_it_requires_is_unhealthy():
    agents = host(web(), db())

    agents, news = roster.step(agents, "db", events.HealthReported(BAD), 5.0)

    assert lacks(agents) == ['agent "db" is unhealthy']
    assert health(agents.agents["web"]) == Report(Health.DEGRADED, 'agent "db" is unhealthy')
    assert [e.subject for e in news if isinstance(e, events.Announce)] == ["agent/db", "agent/web"]

    agents, _ = roster.step(agents, "db", events.HealthReported(WELL), 6.0)

    assert lacks(agents) == []
    assert health(agents.agents["web"]).status is Health.HEALTHY


def test_an_agent_is_told_when_what_it_requires_goes_down():
    agents, _ = roster.step(host(web(), db()), "db", events.Stop(), 5.0)

    assert lacks(agents) == ['agent "db" is stopping']


def test_since_when_it_lacks_it_is_kept_while_the_words_are_the_same():
    agents, _ = roster.step(host(web(), db()), "db", events.HealthReported(BAD), 5.0)

    agents, _ = roster.step(agents, "web", events.Tick(), 9.0)

    assert agents.agents["web"].vitals.lacks[0].at == 5.0


def test_one_that_requires_an_agent_which_is_not_there_is_told_so():
    agents, _ = roster.step(host(web()), "web", events.Tick(), 5.0)

    assert lacks(agents) == ['there is no agent "db"']


def test_degraded_is_good_enough_for_those_that_require_it():
    degraded = events.HealthReported(Report(Health.DEGRADED))

    agents, _ = roster.step(host(web(), db()), "db", degraded, 5.0)

    assert lacks(agents) == []


def test_an_agent_knows_that_its_package_has_it_checked():
    agents = host(running("sql", spec=spec("sql", package="sql")))

    agents, _ = roster.step(agents, "sql", events.UnitSeen(inactive("sql")), 5.0)

    assert agents.agents["sql"].vitals.traits.check


# ---- another package ----


def of_package(digest: str, agent: Agent) -> Roster:
    return Roster({"web": agent}, ties={("nap", ""): Ties(digest=digest)})


def often() -> Agent:
    return running("web", vitals=Vitals(exits=(1.0, 2.0, 3.0), package="old"))


def test_what_its_package_did_before_an_update_is_not_held_against_the_new_one():
    before, _ = roster.step(of_package("old", often()), "web", events.PackageSeen(True), 4.0)

    after, _ = roster.step(
        of_package("new", before.agents["web"]), "web", events.PackageSeen(True), 5.0
    )

    assert health(before.agents["web"]).status is Health.DEGRADED
    assert health(after.agents["web"]).status is Health.HEALTHY
    assert after.agents["web"].vitals.package == "new"


def test_a_package_that_is_gone_for_a_while_comes_back_as_the_same():
    gone, _ = roster.step(Roster({"web": often()}), "web", events.PackageSeen(False), 4.0)

    back, _ = roster.step(
        of_package("old", gone.agents["web"]), "web", events.PackageSeen(True), 5.0
    )

    assert back.agents["web"].vitals.exits == (1.0, 2.0, 3.0)


def test_exits_count_of_a_package_that_is_seen_for_the_first_time():
    new = running("web", vitals=Vitals(exits=(1.0,)))

    after, _ = roster.step(of_package("new", new), "web", events.PackageSeen(True), 4.0)

    vitals = after.agents["web"].vitals
    assert (vitals.exits, vitals.package) == ((1.0,), "new")
