import pytest

from opmas.cli.control import has_ended, render_results, runs
from tests.unit.cli.builders import agent, view


def result(**changes):
    return {
        "name": "web",
        "ok": True,
        "removed": False,
        "agent": agent(),
        "error": None,
        **changes,
    }


def test_each_agent_gets_a_line():
    gone = result(name="db", agent=None, removed=True)

    text = render_results({"results": [result(), gone]}, view())

    assert text == "web: running\ndb: removed"


def test_what_did_not_come_out_as_asked_says_why_and_where_to_look():
    failed = agent(phase="failed", message="it crashed\x1b[2J")

    text = render_results({"results": [result(ok=False, agent=failed)]}, view())

    assert text == "web: failed: it crashed\\x1b[2J\n  `opmas agent explain web` says why"


def test_errors_are_left_to_standard_error():
    error = {"code": "unknown-agent", "message": "cannot find", "problems": []}

    assert render_results({"results": [result(ok=False, agent=None, error=error)]}, view()) == ""


@pytest.mark.parametrize(
    ("phase", "is_running", "is_over"),
    [
        ("running", True, False),
        ("reloading", True, False),
        ("starting", False, False),
        ("stopping", False, False),
        ("backoff", False, False),
        ("stopped", False, True),
        ("failed", False, True),
        ("quarantined", False, True),
        ("registered", False, True),
    ],
)
def test_which_phase_is_the_outcome_of_a_start_and_of_a_stop(phase, is_running, is_over):
    found = agent(phase=phase)

    assert (runs(found), has_ended(found)) == (is_running, is_over)
