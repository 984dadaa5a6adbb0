"""What a person at a terminal sees and is asked."""

import re
import threading

import pytest

from tests.fakes.manager import FakeManager

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r"


class SlowManager(FakeManager):
    """Takes a while to restart an agent, and tells its phases meanwhile."""

    def _reply(self, line):
        if b"agent.restart" in line:
            phase = {"from": "stopped", "to": "starting", "reason": "requested"}
            self.host.emit("opmas.agent.phase", "agent/web", **phase)
            threading.Event().wait(1.5)  # longer than opmas keeps quiet
        return super()._reply(line)


def test_phases_are_coloured_on_a_terminal_alone(terminal, opmas, web):
    assert "\x1b[32mrunning\x1b[0m" in terminal("agent", "list")[1]
    assert "\x1b[" not in opmas("agent", "list").stdout


def test_no_color_is_respected(terminal, web):
    assert "\x1b[" not in terminal("agent", "list", NO_COLOR="1")[1]


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_a_table_fits_the_terminal(terminal, web, columns):
    web["status_text"] = "x" * 300

    _, shown = terminal("agent", "list", columns=columns, NO_COLOR="1")

    assert max(map(len, shown.split("\n"))) <= columns
    assert "…" in shown


def test_what_an_agent_says_cannot_control_the_terminal(terminal, manager, web):
    web |= {"status_text": EVIL, "message": EVIL, "health_message": EVIL, "config": {EVIL: EVIL}}
    manager.host.emit("agent.demo.said", "agent/web", severity="error", message=EVIL)

    for words in (("status",), ("agent", "show", "web"), ("agent", "explain", "web"), ("events",)):
        _, shown = terminal(*words)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)  # opmas's own colours
        assert all(line.isprintable() for line in plain.split("\n")), words
        assert "\\x1b]0;owned\\x07" in plain, words


def test_create_explains_the_needs_asks_and_grants_on_yes(terminal, manager):
    code, shown = terminal("agent", "create", "hostwatch", typed="y\n")

    assert code == 0
    assert "it may use network=observe" in shown
    assert 'Grant this and create agent "hostwatch"? [y/N]' in shown
    assert manager.host.agents["hostwatch"]["grants"] == ["network=observe", "proc=host"]


def test_create_does_nothing_on_no(terminal, manager):
    code, shown = terminal("agent", "create", "hostwatch", typed="\n")

    assert code == 6
    assert "it was not granted; nothing was done" in shown
    assert manager.host.agents == {}


def test_remove_asks(terminal, manager, web):
    kept, _ = terminal("agent", "remove", "web", typed="n\n")
    still_there = "web" in manager.host.agents
    gone, _ = terminal("agent", "remove", "web", typed="yes\n")

    assert (kept, still_there, gone) == (2, True, 0)
    assert manager.host.agents == {}


def test_what_takes_over_a_second_is_told_on_a_terminal_alone(terminal, opmas, tmp_path):
    with SlowManager(tmp_path / "manager.sock") as manager:
        manager.host.agent_put("web", "demo")

        code, shown = terminal("agent", "restart", "web", NO_COLOR="1")
        quiet = opmas("agent", "restart", "web")

    assert code == 0
    assert "opmas: waiting for web\nopmas: web: starting (requested), 1 s\n" in shown
    assert (quiet.stdout, quiet.stderr) == ("web: running\n", "")
