"""Agents that misbehave: what is seen of each, and that nobody else is the worse for it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.lab import wait_for
from tests.system.misbehaviour.corpus import BUSY, CORPUS, LATE, QUOTA, Misbehaviour
from tests.system.misbehaviour.witness import MANAGER, Witness, identity

if TYPE_CHECKING:
    from tests.system.misbehaviour.stage import Outcome, Stage

BYSTANDERS = ("bystander-1", "bystander-2", "bystander-3")
BYSTANDERS_UNITS = [f"opmas-agent@{name}.service" for name in BYSTANDERS]
RESTART = 0.1  # seconds, RestartSec= of the template
CLOCK = 0.05  # seconds by which the times of two events may be off
ANSWER = 1.0  # seconds that an answer may take
KEPT = 0.9  # of the flood, at most


@dataclass(frozen=True, slots=True)
class Show:
    """All outcomes, and what others were before and after, and noticed meanwhile."""

    outcomes: dict[str, Outcome]
    before: dict[str, tuple[str, ...]]
    after: dict[str, tuple[str, ...]]
    witness: Witness


@pytest.fixture(scope="module")
def show(stage: Stage) -> Show:
    """All of them misbehave side by side, among agents that do not."""
    for name in BYSTANDERS:
        assert stage.create(name, "minimal")["phase"] == "running"
    before = identity(stage, MANAGER, *BYSTANDERS_UNITS)
    with Witness(stage) as witness:
        outcomes = stage.perform()
    return Show(outcomes, before, identity(stage, MANAGER, *BYSTANDERS_UNITS), witness)


@pytest.fixture(scope="module")
def removed(stage: Stage, show: Show) -> Stage:
    """The host after all of them were removed, with their data."""
    stage.remove()
    return stage


rows = pytest.mark.parametrize("row", CORPUS, ids=[row.name for row in CORPUS])


@rows
def test_a_misbehaving_agent_ends_as_it_must_and_the_reason_is_said(show: Show, row: Misbehaviour):
    outcome = show.outcomes[row.name]

    assert outcome.story == row.expected(outcome.story)
    assert [each for each in row.told if each not in outcome.words] == []
    assert f"{outcome.view['phase']}: {outcome.view['reason']}" == row.end
    assert [each for each in row.explained if each not in outcome.explanation] == []


@rows
def test_it_ends_in_time(show: Show, row: Misbehaviour):
    outcome = show.outcomes[row.name]

    pauses = [(outcome.pauses(a, b), bound + LATE) for a, b, bound in row.pace]
    assert outcome.took <= row.within + BUSY
    assert all(found and max(found) <= bound for found, bound in pauses), pauses


def test_nothing_is_tried_again_or_forgotten_too_soon(show: Show):
    rests = {
        (row.name, after): (min(show.outcomes[row.name].pauses(before, after)), least)
        for row in CORPUS
        for before, after, least in row.rests
    }

    assert rests
    assert {key: found for key, found in rests.items() if found[0] < found[1] - CLOCK} == {}


def test_systemd_starts_again_at_once_what_went_down(show: Show):
    pauses = [pause for outcome in show.outcomes.values() for pause in outcome.restarts()]

    assert len(pauses) > len(CORPUS) / 2
    assert max(pauses) <= RESTART + LATE


def test_no_other_agent_was_touched_and_the_manager_was_not(show: Show):
    assert show.after == show.before


def test_the_manager_answered_all_the_time(show: Show, capsys: pytest.CaptureFixture[str]):
    answers, commands = show.witness.answers, show.witness.commands

    with capsys.disabled():
        print(
            f"\n{len(answers)} answers of the manager: median {median(answers):.3f} s, at most"
            f" {max(answers):.2f} s; `opmas status`: median {median(commands):.2f} s"
        )
    assert max(answers) <= ANSWER
    assert median(commands) <= ANSWER


def test_a_hog_has_its_share_and_no_more(show: Show):
    hog = show.outcomes["cpu-hog"]

    assert hog.share * 100 <= QUOTA * 1.2


def test_a_flood_is_not_all_kept(show: Show, stage: Stage):
    flooder = show.outcomes["log-flooder"]

    unit = "opmas-agent@log-flooder"
    journal = stage.host.run("journalctl", "-u", unit, "-o", "cat", "--no-pager").stdout

    assert journal.count("\n") <= flooder.figures["lines"] * KEPT


def test_nothing_is_left_of_any_of_them(removed: Stage):
    def processes() -> set[str]:
        return set(removed.host.run("pgrep", "-f", "opmas.agent --path").stdout.split())

    main_pids = set(removed.main_pids(*BYSTANDERS).values())
    units = removed.systemctl("list-units", "--all", "--no-legend", "--plain", "opmas-*@*")
    places = ("/etc/systemd", "/run/systemd", "/run/opmas-agents", "/var/lib/opmas/agents")
    files = removed.host.run("find", *places, "/var/lib/private/opmas-agents").stdout

    wait_for(lambda: processes() == main_pids, 5, "only the bystanders' processes are left")
    assert {line.split()[0] for line in units.splitlines()} == set(BYSTANDERS_UNITS)
    assert [row.name for row in CORPUS if row.name in files] == []
