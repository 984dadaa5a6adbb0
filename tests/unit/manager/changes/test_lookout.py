"""What a look at watched agents costs and finds, with many of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.agent.state import Agent
from opmas.core.agent.terms import AgentSpec, Desired, Phase, Reason
from opmas.core.change import watching
from opmas.core.change.change import Change, ChangeState, Kind
from opmas.core.change.evidence import Surroundings, baseline, begin
from opmas.core.change.sight import sight
from opmas.core.roster import Roster
from opmas.host.cgroups import Cgroups
from opmas.host.pressure import Pressure
from opmas.manager.changes import lookout
from opmas.manager.changes.lookout import Lookout
from opmas.manager.clock import Clock
from opmas.packages.collection import Packages

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.packages.catalogue import Package

MANY = 50
ASKED_FOR_EACH = 3  # what its package is: for its limits, as a dependent, as somebody's dependency


def agent(name: str, version: str, *, up: bool = True, since: float = 0.0) -> Agent:
    spec = AgentSpec(name=name, package="nap", version=version, desired=Desired.RUNNING)
    phase, reason = (Phase.RUNNING, Reason.READY) if up else (Phase.BACKOFF, Reason.CRASHED)
    return Agent(spec=spec, phase=phase, reason=reason, since=since)


def watched(id_: int, *agents: Agent) -> Change:
    watches = {a.name: begin(baseline(s := sight(a, 100.0)), s) for a in agents}
    return Change(
        id_, Kind.UPDATE, "agent/any", (), agents=tuple(a.name for a in agents), package="nap",
        state=ChangeState.WATCHING, watches=watches,
    )  # fmt: skip


class Scribe:
    """What a lookout sees of the writer; takes each step, and keeps none."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.saver = SimpleNamespace(behind=False)

    def post_step(self, step: Any) -> None:
        """Take what would be told to the core."""
        step(self.roster, 300.0)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Surroundings]:
    """What the core is told of each agent."""
    found: dict[str, Surroundings] = {}

    def sighted(roster: Roster, _id: int, _seen: object, around: Any, _now: float) -> Any:
        found.update(around)
        return roster, ()

    monkeypatch.setattr(watching, "sighted", sighted)
    return found


class Counted(Packages):
    """Packages that count how often they are asked."""

    asked = 0

    def of(self, spec: AgentSpec) -> Package | None:
        """Return what the agent runs."""
        self.asked += 1
        return super().of(spec)


def lookout_of(
    agents: list[Agent], changes: list[Change], path: Path, packages: Packages | None = None
) -> Lookout:
    roster = Roster({a.name: a for a in agents}, changes={c.id: c for c in changes})
    links: Any = SimpleNamespace(
        heard=lambda _: SimpleNamespace(errors=0), progress=lambda _: 7, quiet=lambda _: 0.0
    )
    writer: Any = Scribe(roster)
    return Lookout(path, writer, packages or Packages(), links, Clock(), Cgroups(path))


@pytest.mark.parametrize("together", [True, False], ids=["one-change", "a-change-each"])
@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_a_look_asks_for_each_agent_as_often_however_many_there_are(
    tmp_path: Path, told: dict[str, Surroundings], *, together: bool, up: bool
) -> None:
    agents = [agent(f"a{i}", "2.0", up=up, since=200.0) for i in range(MANY)]
    groups = [agents] if together else [[each] for each in agents]
    changes = [watched(i, *group) for i, group in enumerate(groups, 1)]
    packages = Counted()
    eye = lookout_of(agents, changes, tmp_path, packages)

    eye.look()

    assert len(told) == MANY
    assert packages.asked <= ASKED_FOR_EACH * MANY


def test_peers_that_do_badly_with_another_version_since_then_are_named(
    tmp_path: Path, told: dict[str, Surroundings]
) -> None:
    agents = [
        agent("own", "2.0"),
        agent("well", "1.0"),
        agent("before", "1.0", up=False, since=50.0),
        agent("since", "1.0", up=False, since=150.0),
        agent("same", "2.0", up=False, since=150.0),
    ]
    other = replace(agents[3], spec=replace(agents[3].spec, name="other", package="doze"))
    eye = lookout_of([*agents, other], [watched(1, agents[0])], tmp_path)

    eye.look()

    assert told["own"].peers_worse == ("since",)


def test_the_host_is_read_once_a_look(
    tmp_path: Path, told: dict[str, Surroundings], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[float] = []

    def read_pressure() -> Pressure:
        reads.append(1.0)
        return Pressure(cpu=len(reads))

    monkeypatch.setattr(lookout, "read_pressure", read_pressure)
    agents = [agent(f"a{i}", "2.0") for i in range(3)]
    changes = [watched(i, each) for i, each in enumerate(agents, 1)]

    lookout_of(agents, changes, tmp_path).look()

    assert [around.cpu_pressure for around in told.values()] == [1, 1, 1]
