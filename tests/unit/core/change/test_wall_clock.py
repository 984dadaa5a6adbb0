"""The wall clock jumps while a change is watched: verdicts go by the machine's monotonic time.

A lab host has the clock of the machine, so this cannot be tried on one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.change.change import Change, ChangeState, Kind, Task, TaskName, TaskState
from opmas.core.change.evidence import Baseline, Surroundings, begin
from opmas.core.change.sight import sight
from opmas.core.change.verdict import Cause, Decision
from opmas.core.change.watching import sighted
from opmas.core.roster import Roster
from tests.builders import running
from tests.unit.core.watched import Watched

JUMPS = pytest.mark.parametrize("jump", [3600.0, -3600.0])
WINDOW = 60
NOW = 1000


@JUMPS
def test_a_good_version_is_kept_at_the_end_of_its_window(jump: float):
    agent = running()
    watches = {agent.name: begin(Baseline(up_seconds=3600.0), sight(agent, NOW))}
    change = Change(
        1, Kind.UPDATE, f"agent/{agent.name}", (Task(TaskName.WATCH, TaskState.DOING),),
        (agent.name,), state=ChangeState.WATCHING, window=WINDOW, watches=watches,
    )  # fmt: skip
    roster = Roster({agent.name: agent}, changes={1: change}, utc_offset=1.7e9)

    states = []
    for now in range(NOW, NOW + WINDOW + 1):
        offset = 1.7e9 + jump * (NOW + 20 <= now < NOW + 40)
        seen, around = {agent.name: sight(agent, now)}, {agent.name: Surroundings()}
        roster, _ = sighted(replace(roster, utc_offset=offset), 1, seen, around, now)
        states.append(roster.changes[1].state)

    assert states == [ChangeState.WATCHING] * WINDOW + [ChangeState.COMMITTED]


@JUMPS
def test_an_exit_is_seen_whatever_its_stamp_says(jump: float):
    web = Watched(exit_at=1.7e9, exit_code="exited", exit_status=0).started().lives(18)

    web.has(exit_at=1.7e9 + jump, exit_code="exited", exit_status=1, result="exit-code")

    assert (web.decision, web.cause) == (Decision.UNDO, Cause.EXITED)
