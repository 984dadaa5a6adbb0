import pytest

from opmas.cli.events import describe, follow, render_event, render_events
from opmas.cli.text import COLOURED
from opmas.errors import AccessDeniedError, ManagerError
from tests.unit.cli.builders import event, view


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            event("opmas.agent.phase", **{"from": "starting", "to": "running", "reason": "ready"}),
            "starting -> running (ready)",
        ),
        (
            event(
                "opmas.agent.health", **{"from": "healthy", "to": "degraded", "message": "slow"}
            ),
            "healthy -> degraded: slow",
        ),
        (
            event(
                "opmas.agent.exited", code="killed", status=9, signal="SIGKILL", result="signal"
            ),
            "killed, SIGKILL (signal)",
        ),
        (
            event("opmas.agent.exited", code="exited", status=3, signal=None, result="exit-code"),
            "exited, status 3 (exit-code)",
        ),
        (event("opmas.agent.held", by="systemctl"), "by systemctl"),
        (
            event(
                "opmas.agent.pressure",
                signs=[
                    {"code": "near-memory-limit", "message": "it needs 97 % of its memory_max"},
                    {"code": "fd-limit", "message": "a process has 91 % of its open files"},
                ],
            ),
            "it needs 97 % of its memory_max; a process has 91 % of its open files",
        ),
        (event("opmas.agent.pressure", signs=[]), "over"),
        (
            event(
                "opmas.agent.recovery",
                rung="backoff",
                reason="crashed",
                delay=9.6,
                facts=["It failed: crashed.", "It exited."],
                inputs={"failures": 1},
            ),
            "backoff (crashed), next try after 10 s: It failed: crashed. It exited.",
        ),
        (
            event("agent.hostwatch.disk.full", severity="warning", message="/ is full", data={}),
            "warning: / is full",
        ),
        (event("opmas.agent.created", revision=1, author="root"), "revision 1, author root"),
        (event("opmas.package.added", package="x", needs=["a"]), 'package x, needs ["a"]'),
        (event("unheard.of"), ""),
    ],
)
def test_every_type_of_event_is_told_in_words(told, words):
    assert describe(told) == words


def test_an_event_is_one_line_whatever_is_in_it():
    told = event("agent.x.y", "agent/\x1b[2J", message="a\nb\x1b]0;t\x07", severity="\x9b")

    line = render_event(told, view())

    assert line.isprintable()
    assert "a\\nb\\x1b]0;t\\x07" in line


def test_bad_news_is_red():
    told = event("opmas.agent.phase", **{"from": "running", "to": "failed", "reason": "crashed"})

    line = render_event(told, view(palette=COLOURED))

    assert "\x1b[31mrunning -> failed (crashed)\x1b[0m" in line


def test_no_events_says_so():
    assert render_events({"events": []}, view()) == "no events"


class ScriptedManager:
    """Gives the answers of a script in turn; an error in it is raised."""

    def __init__(self, *script):
        self.script = list(script)
        self.asked = []

    def call(self, method, **params):
        self.asked.append((method, params.get("after")))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def page(*sequences, last):
    return {"events": [{**event("x"), "sequence": n} for n in sequences], "last": last}


def test_following_goes_on_where_it_was_when_the_manager_comes_back():
    manager = ScriptedManager(
        page(5, 6, last=6),
        ManagerError("cannot reach the manager"),
        AccessDeniedError("cannot talk to the manager"),
        {"events": {"first": 1, "last": 8}},
        page(7, 8, last=8),
    )
    notes: list[str] = []
    events = follow(manager, 4, {}, notes.append)

    seen = [next(events)["sequence"] for _ in range(4)]

    assert seen == [5, 6, 7, 8]
    assert manager.asked[-1] == ("event.list", 6)
    assert notes == [
        "cannot reach the manager; waiting for it",
        "the manager answers again",
    ]


def test_following_starts_over_when_the_log_was_begun_anew():
    manager = ScriptedManager(
        ManagerError("cannot reach the manager"),
        {"events": {"first": 1, "last": 2}},
        page(1, 2, last=2),
    )
    notes: list[str] = []
    events = follow(manager, 900, {}, notes.append)

    seen = [next(events)["sequence"] for _ in range(2)]

    assert seen == [1, 2]
    assert manager.asked[-1] == ("event.list", 0)
    assert "the event log was begun anew: showing it from its start" in notes


def test_following_says_once_what_is_gone():
    gone = {"dropped": [{"first": 5, "last": 900, "reason": "agent-quota"}]}
    manager = ScriptedManager({**page(5, last=5), **gone}, {**page(6, last=6), **gone})
    notes: list[str] = []
    events = follow(manager, 4, {}, notes.append)

    seen = [next(events)["sequence"] for _ in range(2)]

    assert seen == [5, 6]
    assert [note.partition(":")[0] for note in notes] == ["some of the events 5 to 900 are gone"]


def test_an_empty_page_moves_the_place_forward():
    manager = ScriptedManager(page(last=10), page(11, last=11))
    events = follow(manager, 4, {"agent": "web"}, print)

    first = next(events)

    assert first["sequence"] == 11
    assert manager.asked == [("event.list", 4), ("event.list", 10)]
