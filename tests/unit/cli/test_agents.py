from typing import Any

import pytest

from opmas.cli.agents import (
    needs_attention,
    render_agent,
    render_agents,
    render_explanation,
    render_found_agents,
)
from opmas.cli.text import COLOURED
from tests.unit.cli.builders import agent, view


def test_a_list_shows_a_line_for_each_agent():
    failed = agent("db", phase="failed", health="unknown", message="it crashed", main_pid=None)
    document = {"agents": [failed, agent("web", status_text="12 disks")]}

    lines = render_agents(document, view()).split("\n")

    assert lines == [
        "AGENT  PACKAGE    VERSION  PHASE    HEALTH   SINCE  MEMORY  MESSAGE",
        "db     hostwatch  1.0.0    failed   unknown  2h 2m  12M     it crashed",
        "web    hostwatch  1.0.0    running  healthy  2h 2m  12M     12 disks",
    ]


def test_what_nobody_vouches_for_stands_out_wherever_it_runs():
    unsigned = agent(trust="unsigned")

    for text in (
        render_agents({"agents": [unsigned]}, view(palette=COLOURED)),
        render_agent(unsigned, view(palette=COLOURED)),
    ):
        assert "\x1b[33m1.0.0 unsigned\x1b[0m" in text


def test_a_version_that_is_gone_is_missing():
    gone = agent(package_version=None, trust=None)

    assert "hostwatch  missing" in render_agents({"agents": [gone]}, view())
    assert "hostwatch missing" in render_agent(gone, view())


def test_an_empty_list_says_what_to_do():
    text = render_agents({"agents": []}, view())

    assert "opmas agent create PACKAGE" in text


def test_an_empty_answer_to_a_filter_does_not_say_that_there_are_no_agents():
    assert render_found_agents({"agents": []}, view()) == "no agent fits"


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"held_by": "systemctl", "phase": "stopped"}, "held by systemctl"),
        ({"health": "degraded", "health_message": "disk slow"}, "disk slow"),
        ({"phase": "backoff", "message": "next try in 8 s"}, "next try in 8 s"),
        ({"change": 17}, "change 17 is under way"),
        ({"needs_restart": True}, "a change waits for `opmas agent restart web`"),
        ({"status_text": "\x1b[2J"}, "\\x1b[2J"),
    ],
)
def test_the_message_is_what_matters_most(changes, remark):
    text = render_agents({"agents": [agent(**changes)]}, view())

    assert remark in text


def test_phases_have_colours_on_a_terminal():
    document = {"agents": [agent(), agent("db", phase="failed")]}

    text = render_agents(document, view(palette=COLOURED))

    assert "\x1b[32mrunning\x1b[0m" in text
    assert "\x1b[31mfailed\x1b[0m" in text


def test_a_list_fits_a_narrow_terminal():
    document = {"agents": [agent("a" * 40, status_text="b" * 200)]}

    lines = render_agents(document, view(width=80)).split("\n")

    assert max(map(len, lines)) <= 80


def test_show_tells_state_limits_and_configuration():
    last_exit = {
        "code": "killed",
        "status": 9,
        "signal": "SIGKILL",
        "result": "signal",
        "at": "2026-01-31T15:58:00Z",
    }
    check = {"name": "disk", "status": "degraded", "code": "slow", "message": "200 ms a write"}
    document = agent(
        last_exit=last_exit, checks=[check], restarts=1, config={"interval": 10}, metrics=[{}, {}]
    )

    text = render_agent(document, view())

    assert text.startswith("web: running (ready) for 2h 2m, healthy\n")
    assert "killed by SIGKILL (signal) at " in text
    assert "disk degraded 200 ms a write" in text
    assert "12M of 64M memory, 2 of 16 tasks, 3.2 s of CPU time" in text
    assert "memory_max 64M, memory_high 48M, tasks_max 16, cpu_quota 20%, cpu_weight 50" in text
    assert '"interval": 10' in text
    assert "2 metrics (--json shows them)" in text


def test_show_of_an_agent_that_never_ran_leaves_the_rest_off():
    unused = {"memory_bytes": None, "tasks": None, "cpu_seconds": None}
    document = agent(
        phase="registered", main_pid=None, usage=unused, config=None, package_version=None
    )

    text = render_agent(document, view())

    assert "main PID" not in text
    assert "uses" not in text
    assert "the package's defaults" in text


def test_what_an_agent_says_cannot_reach_the_terminal_raw():
    evil = "\x1b]0;owned\x07\n\x9b2J\u202e"
    check = {"name": evil, "status": "unhealthy", "code": evil, "message": evil}
    document = agent(
        message=evil,
        health_message=evil,
        status_text=evil,
        checks=[check],
        config={evil: evil},
        reason=evil,
    )

    for text in (
        render_agent(document, view()),
        render_agents({"agents": [document]}, view()),
        render_agents({"agents": [{**document, "held_by": evil}]}, view()),
    ):
        assert all(line.isprintable() for line in text.split("\n"))
        assert "\\x1b]0;owned\\x07" in text


def test_an_explanation_is_the_summary_the_sentences_and_what_comes_next():
    document = {
        "name": "web",
        "summary": 'agent "web" is backoff: it crashed',
        "sentences": ["It is wanted running.", "It failed 3 times in a row."],
        "next": "It is started again in 8 s",
        "facts": {},
    }

    text = render_explanation(document, view())

    assert text.split("\n") == [
        'agent "web" is backoff: it crashed',
        "  It is wanted running.",
        "  It failed 3 times in a row.",
        "  Next: it is started again in 8 s",
    ]


def test_an_explanation_tells_the_decisions_with_what_they_rest_on():
    document = {
        "name": "web",
        "summary": 'agent "web" is backoff: it crashed',
        "sentences": [],
        "next": "",
        "ladder": ["One more failure of that kind leads to: the change is undone, once."],
        "decisions": [
            {
                "at": "2026-01-31T17:59:00.000000Z",
                "rung": "backoff",
                "reason": "crashed",
                "delay": 9.6,
                "facts": ["It failed for the first time in a row: crashed."],
                "inputs": {"failures": 1, "gives_up": False},
            }
        ],
    }

    lines = render_explanation(document, view()).split("\n")

    assert lines[1] == "  One more failure of that kind leads to: the change is undone, once."
    assert lines[2] == "Decisions:"
    assert lines[3].endswith("backoff (crashed), next try after 10 s")
    assert lines[4:] == [
        "    It failed for the first time in a row: crashed.",
        "    failures 1, gives_up false",
    ]


def test_a_long_list_of_inputs_is_on_several_lines():
    inputs = {f"an-input-{number}": "crashed" for number in range(12)}
    decision: dict[str, Any] = {
        "at": "2026-01-31T17:59:00Z",
        "rung": "backoff",
        "reason": "crashed",
        "delay": None,
        "facts": [],
        "inputs": inputs,
    }
    document = {"summary": "", "sentences": [], "next": "", "decisions": [decision]}

    text = render_explanation(document, view(palette=COLOURED))

    assert "\\n" not in text
    assert len(text.split("\n")) > 4


def test_a_policy_of_its_own_is_shown():
    text = render_agent(agent(own_recovery={"undo": False, "give_up_on": [2, 78]}), view())

    assert "undo false, give_up_on [2, 78]" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"phase": "stopped", "health": "unknown"}, False),
        ({"phase": "starting", "health": "unknown"}, False),
        ({"phase": "backoff"}, True),
        ({"phase": "failed"}, True),
        ({"phase": "quarantined"}, True),
        ({"health": "degraded"}, True),
        ({"health": "unhealthy"}, True),
    ],
)
def test_what_needs_attention(changes, expected):
    assert needs_attention(agent(**changes)) is expected
