"""Which agents the rescue is told of: those that did well, until they are not wanted any more."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.agent.terms import Desired, Phase
from opmas.core.change.change import Change, ChangeState, Kind, Task, TaskName, TaskState
from opmas.core.roster import Roster
from opmas.manager.clock import Clock
from opmas.manager.comeback import is_service
from opmas.manager.lastgood import LastGood, in_order, is_candidate
from opmas.rescue.judge import Known, known_agents
from opmas.rescue.places import Places
from tests.builders import running, spec

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.core.agent.state import Agent


class Stopwatch(Clock):
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Host:
    """The roster and the packages, which are all that is looked at."""

    roster: Roster = field(default_factory=lambda: Roster({}))
    packages: Any = None
    exchanges: int = 0

    def of(self, _spec: object) -> None:
        """No package is known: the order is by `after` alone, and versions are empty."""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, tmp_path, tmp_path, tmp_path)


@pytest.fixture
def host() -> Host:
    host = Host()
    host.packages = host
    return host


def look(
    places: Places, host: Host, clock: Stopwatch, *agents: Agent, change: Change | None = None
) -> list[Known] | None:
    changes = {} if change is None else {change.id: change}
    host.roster = Roster({agent.name: agent for agent in agents}, changes=changes)
    LastGood(places, host, host, clock, "boot-1").look()  # type: ignore[arg-type]
    return known_agents(json.loads(places.last_good.read_text()))


def test_an_agent_enters_when_it_did_well_for_a_minute(places: Places, host: Host) -> None:
    clock = Stopwatch()
    agents = [
        running("old", well_since=940.0),
        running("new", well_since=941.0),
        replace(running("bad"), well_since=None),
    ]

    known = look(places, host, clock, *agents)

    assert known == [Known("old", "opmas-agent@old.service", "boot-1", "")]


def test_a_moment_of_trouble_does_not_take_it_out(places: Places, host: Host) -> None:
    clock = Stopwatch()
    before = look(places, host, clock, running("web", well_since=0.0))

    after = look(places, host, clock, running("web", well_since=None, phase=Phase.BACKOFF))

    assert after == before


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": spec("web", desired=Desired.STOPPED)},
        {"held": True},
        {"phase": Phase.QUARANTINED},
        {"phase": Phase.FAILED},
    ],
)
def test_what_is_not_wanted_or_was_given_up_leaves(
    places: Places, host: Host, changes: dict[str, Any]
) -> None:
    clock = Stopwatch()
    look(places, host, clock, running("web", well_since=0.0))
    agent = replace(running("web", well_since=0.0), **changes)

    assert look(places, host, clock, agent) == []
    assert not is_candidate(agent)


@pytest.mark.parametrize(
    ("begun", "state", "paused"),
    [
        (TaskName.STOP, TaskState.DOING, ""),
        (TaskName.SNAPSHOT, TaskState.DOING, "yes"),
        (TaskName.MIGRATE, TaskState.DOING, "yes"),
        (TaskName.SWITCH, TaskState.DONE, "yes"),
        (TaskName.MIGRATE, TaskState.SKIPPED, ""),
        (TaskName.MIGRATE, TaskState.UNDOING, "yes"),
    ],
)
def test_what_a_change_has_begun_with_while_it_holds_the_agent_down_is_told(
    places: Places, host: Host, begun: TaskName, state: TaskState, paused: str
) -> None:
    clock = Stopwatch()
    look(places, host, clock, running("web", well_since=0.0))
    tasks = tuple(
        Task(name, state if name is begun else TaskState.TODO)
        for name in (TaskName.STOP, TaskName.SNAPSHOT, TaskName.SWITCH, TaskName.MIGRATE)
    )
    change = Change(
        7, Kind.UPDATE, "agent/web", tasks, agents=("web",), state=ChangeState.APPLYING
    )
    down = running("web", well_since=None, phase=Phase.STOPPED, paused=True)

    held = look(places, host, clock, down, change=change)
    after = look(places, host, clock, replace(down, paused=False), change=change)

    row = Known("web", "opmas-agent@web.service", "boot-1", "")
    assert held == [row._replace(paused=paused)]
    assert after == [row]


def test_they_are_in_the_order_of_their_start(places: Places, host: Host) -> None:
    web = replace(running("web", well_since=0.0), spec=spec("web", after=("zdb",)))

    known = look(places, host, Stopwatch(), web, running("zdb", well_since=0.0))

    assert [agent.name for agent in known or ()] == ["zdb", "web"]


def test_agents_that_wait_for_each_other_are_in_some_order_all_the_same() -> None:
    assert in_order({"b": ["a"], "a": ["b"]}) == ["a", "b"]


def test_a_file_that_says_the_same_is_not_written_again(places: Places, host: Host) -> None:
    clock = Stopwatch()
    look(places, host, clock, running("web", well_since=0.0))
    before = places.last_good.stat().st_ino

    clock.now += 3600.0
    look(places, host, clock, running("web", well_since=0.0))

    assert places.last_good.stat().st_ino == before


def test_a_disk_that_cannot_be_written_is_no_matter(places: Places, host: Host) -> None:
    clock = Stopwatch()
    host.roster = Roster({"web": running("web", well_since=0.0)})
    nowhere = places._replace(state=places.state / "file" / "below")
    (places.state / "file").touch()

    LastGood(nowhere, host, host, clock, "boot-1").look()  # type: ignore[arg-type]

    assert not nowhere.last_good.exists()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"SYSTEMD_EXEC_PID": "7"}, True), ({"SYSTEMD_EXEC_PID": "8"}, False), ({}, False)],
)
def test_only_what_systemd_started_speaks_for_the_unit(
    environ: dict[str, str], expected: bool
) -> None:
    assert is_service(environ, 7) is expected
