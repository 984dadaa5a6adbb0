import pytest

from opmas.cli.commands.change import STATES
from opmas.cli.schemas.changes import CHANGE
from opmas.cli.story import (
    FINAL,
    STATE_STYLES,
    difference,
    headline,
    progress_text,
    render_all_planned,
    render_change,
    render_changes,
    render_outcome,
    render_outcomes,
    render_planned,
)
from opmas.core.change import change as core
from tests.unit.cli.builders import change, view


def test_the_states_are_those_of_the_core():
    assert set(STATES) == set(STATE_STYLES) == set(core.ChangeState)
    assert set(FINAL) == set(core.FINAL)
    assert set(change()) == set(CHANGE["properties"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "update web 1.0.0 -> 1.1.0"),
        ({"kind": "create", "before": None, "after": {"version": "1.0.0"}}, "create web 1.0.0"),
        ({"kind": "remove", "after": None}, "remove web 1.0.0"),
        ({"kind": "config", "before": {"config": {}}, "after": {"config": {}}}, "config web"),
        (
            {"kind": "install", "subject": "package/nap", "before": None},
            "install nap 1.1.0",
        ),
    ],
)
def test_a_change_has_a_headline(changes, words):
    assert headline(change(**changes)) == words


def test_what_differs_is_told_value_by_value():
    before = {"version": "1.0.0", "config": {"cpu": {"warn": 80}, "x": 1}, "limits": {}}
    after = {
        "version": "1.1.0",
        "config": {"cpu": {"warn": 90}, "x": 1},
        "limits": {"memory_max": 64 << 20},
    }

    lines = difference(before, after).split("\n")

    assert lines == [
        "version            1.0.0 -> 1.1.0",
        "config.cpu.warn    80 -> 90",
        "limits.memory_max  - -> 64M",
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"state": "planned", "waits_for": 16}, "waits for change 16"),
        ({"state": "watching", "watch_left": 42}, "watching, 42 s left"),
        (
            {
                "state": "applying",
                "tasks": [{"name": "install", "state": "doing", "message": ""}],
                "progress": {"step": "unpack", "done": 3 << 20, "total": 18 << 20},
            },
            "install: unpack 3M of 18M",
        ),
        (
            {"state": "reverting", "tasks": [{"name": "switch", "state": "undoing"}]},
            "undo switch",
        ),
        (
            {
                "state": "applying",
                "tasks": [{"name": "rehearse", "state": "doing", "message": ""}],
                "progress": {"step": "rehearse", "done": 1, "total": 8},
            },
            "rehearse",
        ),
        ({"state": "applying", "tasks": []}, "applying"),
    ],
)
def test_progress_is_a_few_words(changes, text):
    assert progress_text(change(**changes)) == text


def test_a_good_outcome_is_one_line():
    assert render_outcome(change(), view()) == "web: updated 1.0.0 -> 1.1.0 (change 17)"


def test_a_bad_outcome_says_why_and_where_there_is_more():
    undone = change(state="reverted", message="it exits at once", facts=["it exited 3 times"])

    lines = render_outcome(undone, view()).split("\n")

    assert lines == [
        "web: update reverted: it exits at once",
        "  - it exited 3 times",
        "  `opmas change show 17` shows more",
    ]


def test_a_change_is_shown_with_its_tasks_and_facts():
    undone = change(state="reverted", reason="crashed", message="it exits", facts=["once"])

    text = render_change(undone, view())

    assert text.startswith(
        "change 17: update web 1.0.0 -> 1.1.0: reverted (crashed)\n  it exits\n"
    )
    assert "  - once\n" in text
    assert "took      1m 2s" in text
    assert "switch  done" in text
    assert "version  1.0.0 -> 1.1.0" in text
    assert "restarts  web" in text


def test_changes_are_listed_with_what_they_do_now():
    under_way = change(18, state="watching", watch_left=30, ended_at=None)

    lines = render_changes({"changes": [under_way, change()]}, view()).split("\n")

    assert lines[1].split("  ")[0] == "18"
    assert "watching, 30 s left" in lines[1]
    assert "it does as well as before" in lines[2]


def test_a_plan_tells_tasks_restarts_window_and_what_is_known():
    text = render_planned(change(0, facts=["1.1.0 was undone"], waits_for=16), view())

    assert text.split("\n") == [
        "would update web 1.0.0 -> 1.1.0",
        "  tasks      switch, watch",
        "  restarts   web",
        "  window     60 s",
        "  waits for  change 16",
        "  differs    version  1.0.0 -> 1.1.0",
        "  known      1.1.0 was undone",
        "nothing was done",
    ]


def test_nothing_to_do_is_said():
    assert "nothing to do" in render_outcomes({"changes": []}, view())
    assert "nothing to do" in render_all_planned({"changes": []}, view())


def test_what_a_change_says_cannot_reach_the_terminal_raw():
    evil = "\x1b]0;owned\x07\n\x9b2J\u202e"
    found = change(
        state="reverted",
        message=evil,
        reason=evil,
        author=evil,
        package=evil,
        subject=f"agent/{evil}",
        agents=[evil],
        restarts=[evil],
        facts=[evil],
        before={evil: evil},
        after={"version": evil},
        tasks=[{"name": evil, "state": "done", "message": evil}],
    )

    for text in (
        render_change(found, view()),
        render_changes({"changes": [found]}, view()),
        render_outcome(found, view()),
        render_planned(found, view()),
        render_outcome({**found, "state": "committed"}, view()),
    ):
        assert all(line.isprintable() for line in text.split("\n"))
