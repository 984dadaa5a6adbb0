"""Agents read in turn: what is kept of them, what is told of them, and what is learned."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.documents.settings import Learn, LimitsSection, Settings, UsageSection
from opmas.core.health.vitals import Sign, Vitals
from opmas.core.resources.learning import WINDOW
from opmas.core.resources.limits import NO_HOST_LIMITS
from opmas.core.roster import Roster
from opmas.host.meter import Meter
from opmas.manager.resources.learner import SAVE_EVERY, Learner
from opmas.manager.resources.limits import LimitsOf
from opmas.manager.resources.usage import Usages
from opmas.packages.collection import Packages
from opmas.store.database import Database
from tests import builders

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.core.events import Pressed

SLICE = "opmas.slice/opmas-agents.slice"
MIB = 1 << 20


class Scribe:
    """What is seen of the writer; keeps what it is told."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.signs: list[tuple[str, tuple[str, ...]]] = []
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.steps: list[Any] = []

    def post(self, name: str, event: Pressed) -> None:
        self.signs.append((name, tuple(sign.code for sign in event.signs)))

    def announce(self, kind: str, subject: str, data: dict[str, Any]) -> None:
        self.events.append((kind, subject, data))

    def post_step(self, step: Any) -> None:
        self.steps.append(step)


class Stage:
    """Usages over a tree of control groups that a test writes, and a clock that it sets."""

    def __init__(self, top: Path, agents: int = 1, **limits: Any) -> None:
        self.top = top
        self.now = 1000.0
        (top / "cgroup.controllers").write_text("cpu memory pids\n")
        names = [f"a{number}" for number in range(agents)]
        running = {name: builders.running(name) for name in names}
        self.writer = Scribe(Roster(running))
        for name in names:
            self.uses(name)
        self.database = Database(top / "manager.db")
        self.databases = SimpleNamespace(current=self.database, now=lambda: "now")
        self.settings = Settings(limits=LimitsSection(**limits))
        self.limits = LimitsOf(Packages(), NO_HOST_LIMITS)
        self.learner = self.new_learner()
        links: Any = SimpleNamespace(heard=lambda _: SimpleNamespace(metrics=[]))
        writer, units = as_any(self.writer, None)
        self.usages = Usages(
            UsageSection(), writer, links, self.limits, units, meter=Meter(top, clock=self.clock),
            learner=self.learner, clock=self.clock,
        )  # fmt: skip

    def new_learner(self) -> Learner:
        writer, databases = as_any(self.writer, self.databases)
        learner = Learner(self.settings, writer, databases, self.limits, self.clock)
        learner.load()
        return learner

    def clock(self) -> float:
        return self.now

    def uses(self, name: str, held: int = 10 * MIB, tasks: int = 2, cpu: float = 0.0) -> None:
        group = self.top / SLICE / f"opmas-agent@{name}.service"
        group.mkdir(parents=True, exist_ok=True)
        (group / "memory.current").write_text(f"{held + MIB}\n")
        stat = f"anon {held}\nfile {MIB}\nshmem 0\ninactive_file {MIB}\n"
        (group / "memory.stat").write_text(stat)
        (group / "pids.current").write_text(f"{tasks}\n")
        (group / "cpu.stat").write_text(f"usage_usec {int(cpu * 1e6)}\n")

    def agent(self, name: str = "a0") -> Any:
        return self.writer.roster.agents[name]

    def change(self, name: str = "a0", **changes: Any) -> None:
        agents = {**self.writer.roster.agents, name: replace(self.agent(name), **changes)}
        self.writer.roster = replace(self.writer.roster, agents=agents)

    def live(self, seconds: float) -> None:
        """Let the time pass, a tick each second."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.usages.tick()

    def close(self) -> None:
        self.usages.close()
        self.database.close()


def as_any(*values: Any) -> Any:
    return values


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def test_a_running_agent_is_known_without_being_read_again(stage):
    stage.usages.tick()
    stage.uses("a0", held=99 * MIB)

    known = stage.usages.of(stage.agent())

    assert (known.memory_bytes, known.held_bytes, known.tasks) == (11 * MIB, 10 * MIB, 2)
    assert stage.usages.fresh(stage.agent()).held_bytes == 99 * MIB


def test_an_agent_that_is_down_uses_nothing(stage):
    stage.usages.tick()
    stage.change(phase=builders.stopped().phase)

    assert stage.usages.of(stage.agent()) is None
    assert stage.usages.fresh(stage.agent()) is None


def test_many_agents_are_read_a_few_at_a_time_and_all_in_a_round(tmp_path):
    many = Stage(tmp_path, agents=600)
    interval = many.usages.interval(600)

    many.usages.tick()
    first = len(many.usages._known)
    many.live(interval)

    assert interval == 9.0
    assert first == 67
    assert len(many.usages._known) == 600
    many.close()


def test_a_sign_is_told_once_when_it_comes_and_once_when_it_goes(stage):
    stage.live(6)
    stage.uses("a0", held=250 * MIB)
    stage.live(20)
    stage.uses("a0")
    stage.live(20)

    assert stage.writer.signs == [("a0", ("near-memory-limit",)), ("a0", ())]
    assert [data["signs"] for _, _, data in stage.writer.events] == [
        [{"code": "near-memory-limit", "message": "it needs 98 % of its memory_max"}],
        [],
    ]


def test_the_signs_of_a_run_end_with_it(stage):
    stage.uses("a0", tasks=64)
    stage.live(6)
    stage.uses("a0", tasks=1)
    stage.change(unit=builders.active("a0", invocation_id="next"))
    stage.live(6)

    assert stage.writer.signs == [("a0", ("near-tasks-limit",)), ("a0", ())]


def test_a_sign_that_the_manager_before_told_is_not_told_once_more(stage):
    near = Sign("near-memory-limit", "it needs 98 % of its memory_max")
    stage.change(vitals=Vitals(signs=(near,)))
    stage.uses("a0", held=250 * MIB)
    stage.live(6)
    assert stage.writer.signs == []

    stage.uses("a0")
    stage.live(20)
    assert stage.writer.signs == [("a0", ())]


def test_a_sign_that_the_manager_before_told_ends_with_an_agent_that_is_down(stage):
    near = Sign("near-memory-limit", "it needs 98 % of its memory_max")
    stage.change(vitals=Vitals(signs=(near,)), phase=builders.stopped().phase)

    stage.live(1)

    assert stage.writer.signs == [("a0", ())]


def test_the_files_of_an_agent_that_went_are_closed(stage):
    stage.live(1)
    opened = stage.usages._meter.open_files
    stage.writer.roster = Roster({})
    stage.live(6)

    assert opened
    assert stage.usages._meter.open_files == 0


def test_limits_are_proposed_after_enough_history_and_only_once(tmp_path):
    stage = Stage(tmp_path, learn_after=1.0)
    stage.live(WINDOW * 14)

    (told,) = stage.writer.events
    assert told[:2] == ("opmas.limits.proposed", "agent/a0")
    assert told[2]["limits"]["memory_max"] == 32 * MIB
    assert stage.learner.proposal(stage.agent()).tasks_max == 16
    assert stage.writer.steps == []
    stage.close()


def test_a_host_that_is_tried_out_learns_within_a_minute(tmp_path):
    stage = Stage(tmp_path, learn_after=0.01)
    stage.live(45)

    (told,) = stage.writer.events
    assert told[:2] == ("opmas.limits.proposed", "agent/a0")
    stage.close()


def test_limits_are_set_by_a_change_where_the_host_says_so(tmp_path):
    stage = Stage(tmp_path, learn_after=1.0, learn=Learn.APPLY)
    stage.live(WINDOW * 13)

    (step,) = stage.writer.steps
    after, _ = step(stage.writer.roster, stage.now)
    (change,) = after.changes.values()
    assert (str(change.kind), change.author, change.automatic) == ("limits", "manager", True)
    assert change.wish["limits"]["memory_max"] == 32 * MIB
    assert change.window > 0
    stage.close()


def test_a_limit_that_was_learned_is_shown_as_such_and_one_by_hand_is_not(tmp_path):
    stage = Stage(tmp_path, learn_after=1.0)
    stage.live(WINDOW * 13)
    stage.learner.applied("a0", Limits(tasks_max=16))
    spec = replace(stage.agent().spec, limits=Limits(tasks_max=16, cpu_quota=70))

    origins = stage.learner.origins(spec)

    assert (origins["tasks_max"], origins["cpu_quota"], origins["memory_max"]) == (
        "learned", "agent", "template",
    )  # fmt: skip
    stage.close()


def test_nothing_is_learned_where_that_is_off(tmp_path):
    stage = Stage(tmp_path, learn_after=1.0, learn=Learn.OFF)
    stage.live(WINDOW * 3)

    assert stage.learner.learned("a0").windows == 0
    stage.close()


def test_what_was_learned_is_saved_and_taken_up_again(stage):
    stage.live(WINDOW + SAVE_EVERY + 10)
    saved = stage.database.learned()
    stage.usages.close()

    again = stage.new_learner()

    assert list(saved) == ["a0"]
    assert again.learned("a0").windows == stage.learner.learned("a0").windows == 3


def test_nothing_is_kept_of_agents_that_went_before_much_was_learned_of_them(stage):
    stage.usages.tick()
    assert stage.learner._windows.keys() == {"a0"}

    stage.learner.keep({})

    assert stage.learner._windows == {}


def test_a_lost_database_loses_history_and_nothing_else(stage):
    stage.live(WINDOW + 10)
    stage.databases.current = None

    stage.live(SAVE_EVERY)
    again = stage.new_learner()

    assert stage.learner.learned("a0").windows == 3
    assert again.learned("a0").windows == 0


def test_a_document_that_is_none_is_left_out(stage):
    stage.database.save_learned({"a0": {"windows": "x"}}, (), "now")

    assert stage.new_learner().learned("a0").windows == 0
