"""One agent when the manager comes back, or the host boots: one story a test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core import events
from opmas.core.agent.state import Pending, Then
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.events import Forget
from tests.builders import (
    active,
    agent,
    inactive,
    killed,
    running,
    stopped,
)
from tests.unit.core.story import Story


def test_a_restart_of_the_manager_leaves_a_running_agent_alone():
    story = Story(running(unit=None))

    story.on(events.Resumed(active(), same_boot=True))

    assert (story.agent.phase, story.effects, story.told) == (Phase.RUNNING, [], [])


def test_a_stop_while_the_manager_was_away_is_held():
    story = Story(running(unit=None))

    story.on(events.Resumed(None, same_boot=True), 5).on(events.Tick(), 5)

    assert story.agent.reason is Reason.HELD


def test_a_crash_while_the_manager_was_away_is_told_and_tried_again():
    story = Story(running(unit=None))

    story.on(events.Resumed(killed(), same_boot=True), 5).on(events.Tick(), 5)

    assert "opmas.agent.exited" in story.told
    assert story.agent.phase is Phase.BACKOFF


def test_a_boot_starts_what_is_wanted_and_forgets_a_hold():
    held = running(phase=Phase.STOPPED, reason=Reason.HELD, held=True, unit=None)

    story = Story(held).on(events.Resumed(None, same_boot=False), 5)

    assert (story.agent.phase, story.agent.reason) == (Phase.STARTING, Reason.BOOT)
    assert (story.agent.pending, story.agent.held) == (Pending.QUEUED, False)


def test_a_boot_leaves_alone_what_is_not_wanted():
    story = Story(stopped()).on(events.Resumed(None, same_boot=False))

    assert (story.agent.phase, story.effects) == (Phase.STOPPED, [])


def test_a_boot_does_not_release_from_quarantine():
    given_up = agent(phase=Phase.QUARANTINED, reason=Reason.CRASH_LOOP, failures=6)

    story = Story(given_up).on(events.Resumed(None, same_boot=False))

    assert story.agent.phase is Phase.QUARANTINED


@pytest.mark.parametrize("pending", [Pending.QUEUED, Pending.START])
def test_a_start_that_the_manager_died_over_is_made_again(pending):
    dying = agent(phase=Phase.STARTING, reason=Reason.REQUESTED, pending=pending)

    story = Story(dying).on(events.Resumed(None, same_boot=True))

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


def test_a_restart_that_the_manager_died_over_is_finished():
    dying = running(phase=Phase.STOPPING, pending=Pending.STOP, then=Then.START, unit=None)

    story = Story(dying).on(events.Resumed(inactive(), same_boot=True))

    assert (story.agent.phase, story.agent.pending) == (Phase.STARTING, Pending.QUEUED)


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_removal_that_the_manager_died_over_is_finished(same_boot):
    dying = running(phase=Phase.STOPPING, pending=Pending.STOP, then=Then.REMOVE, unit=None)
    dying = replace(dying, spec=replace(dying.spec, desired=Desired.STOPPED))

    story = Story(dying).on(events.Resumed(None, same_boot=same_boot))

    assert story.effects == [Forget("web", purge=False)]
