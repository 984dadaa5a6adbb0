"""Changes: followed until they have ended, undone, listed, and planned."""

import json
import re
import signal
import subprocess
import threading
import time

import pytest

from tests.integration.cli.conftest import command


@pytest.fixture
def by_hand(manager, web):
    """Changes of web wait for the test to take them further."""
    manager.host.ledger.by_hand = True
    return manager.host


@pytest.fixture
def run(environ):
    """Start `opmas` and go on; it is killed at the end."""
    running = []

    def start(*words):
        process = subprocess.Popen(
            command(*words),
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def until_followed(manager):
    """Return once a long-poll waits for news of a change."""
    deadline = time.monotonic() + 10
    while not any(m == "change.show" and params.get("wait") for m, params in manager.calls):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_update_is_followed_until_it_is_committed(run, manager, by_hand):
    process = run("agent", "update", "web", "--version", "1.1.0")
    until_followed(manager)

    by_hand.finish(2)
    stdout, stderr = process.communicate(timeout=10)

    assert (process.returncode, stdout) == (0, "web: updated 1.0.0 -> 1.1.0 (change 2)\n")
    assert stderr.startswith("opmas: change 2: planned\n")
    assert by_hand.agents["web"]["version"] == "1.1.0"


def test_each_step_is_a_line_where_there_is_no_terminal(run, manager, by_hand):
    process = run("agent", "update", "web", "--version", "1.1.0")

    told = [process.stderr.readline()]
    for _ in range(8):
        by_hand.step(2)
        told.append(process.stderr.readline())

    assert told[1:3] == [
        "opmas: change 2: applying, check\n",
        "opmas: change 2: applying, rehearse\n",
    ]
    assert told[-2:] == ["opmas: change 2: watching for 60 s\n", ""]


def test_an_update_that_is_undone_ends_with_1_and_the_facts(opmas, manager, web):
    manager.host.ledger.doom(
        "agent/web", "crashed", "it exits at once", "it exited 3 times in 4 s"
    )

    done = opmas("agent", "update", "web", "--version", "1.1.0")

    assert done.returncode == 1
    assert done.stdout == (
        "web: update reverted: it exits at once\n"
        "  - it exited 3 times in 4 s\n"
        "  `opmas change show 2` shows more\n"
    )
    assert manager.host.agents["web"]["version"] == "1.0.0"


def test_no_wait_returns_the_number(opmas, by_hand):
    done = opmas("agent", "update", "web", "--version", "newest", "--no-wait")

    assert (done.returncode, done.stdout) == (
        0,
        "change 2: update web 1.0.0 -> 1.1.0, `opmas change wait 2`\n",
    )


def test_the_time_is_over_and_the_change_goes_on(opmas, by_hand):
    done = opmas("agent", "update", "web", "--version", "1.1.0", "--timeout", "0.2")

    assert done.returncode == 1
    assert "the time is over, change 2 goes on: `opmas change wait 2`" in done.stderr


def test_ctrl_c_says_that_the_change_goes_on(run, manager, by_hand):
    process = run("agent", "update", "web", "--version", "1.1.0")
    until_followed(manager)

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)

    assert process.returncode == 130
    assert stderr.endswith("opmas: change 2 goes on: `opmas change wait 2`\n")


def test_a_manager_that_is_restarted_meanwhile_is_waited_for(run, manager, by_hand):
    process = run("agent", "update", "web", "--version", "1.1.0")
    until_followed(manager)

    manager.stop()
    process.stderr.readline()
    said = process.stderr.readline()
    by_hand.finish(2)
    manager.start()

    assert said.endswith("; waiting for it\n")
    assert process.communicate(timeout=10)[0] == "web: updated 1.0.0 -> 1.1.0 (change 2)\n"


def test_version_and_settings_are_one_change(opmas, manager, web):
    done = opmas("agent", "update", "web", "--version", "1.1.0", "--set", "interval=5")

    assert done.returncode == 0
    assert done.stdout == "web: changed 1.0.0 -> 1.1.0 (change 2)\n"
    agent = manager.host.agents["web"]
    assert (agent["version"], agent["config"]) == ("1.1.0", {"interval": 5})


def test_settings_do_not_wait_for_the_window_but_say_that_there_is_one(run, manager, by_hand):
    process = run("agent", "update", "web", "--set", "interval=5")
    until_followed(manager)
    for _ in range(2):
        by_hand.step(2)

    stdout, stderr = process.communicate(timeout=10)

    assert (process.returncode, stdout) == (0, "web: updated, running\n")
    assert stderr == (
        "opmas: change 2: watching, 60 s left; `opmas change wait 2` says how it comes out\n"
    )


def test_an_agent_that_is_not_made_yet_is_waited_for_also_with_no_wait(run, manager, by_hand):
    process = run("agent", "create", "db", "--package", "demo", "--no-wait")
    until_followed(manager)
    by_hand.finish(2)

    stdout, _ = process.communicate(timeout=10)

    assert (process.returncode, stdout) == (0, "db: created, running\n")


def test_a_change_that_is_refused_says_why(run, manager, by_hand):
    process = run("agent", "create", "db", "--package", "demo")
    until_followed(manager)
    change = by_hand.ledger.get(2)
    change |= {"state": "refused", "message": "its disk is full", "serial": 9}
    by_hand.emit("opmas.change.state", "agent/db")

    _, stderr = process.communicate(timeout=10)

    assert process.returncode == 1
    assert "cannot create db 1.0.0: its disk is full" in stderr
    assert "`opmas change show 2` shows more" in stderr


def test_an_agent_at_another_revision_is_left_alone(opmas, web):
    expected = ("--expect", "7")

    codes = [
        opmas("agent", "update", "web", "--version", "1.1.0", *expected).returncode,
        opmas("agent", "update", "web", "--set", "a=1", *expected).returncode,
        opmas("agent", "rollback", "web", "--version", "1.0.0", *expected).returncode,
        opmas("agent", "remove", "web", "--yes", *expected).returncode,
    ]

    assert codes == [6, 6, 6, 6]
    assert opmas("agent", "remove", "web", "--yes", "--expect", "1").returncode == 0


def test_rollback_goes_to_the_version_before(opmas, manager, web):
    opmas("agent", "update", "web", "--version", "1.1.0")

    done = opmas("agent", "rollback", "web")

    assert done.stdout == "web: rolled back 1.1.0 -> 1.0.0 (change 3)\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("agent", "update", "web", "--version", "1.1.0"), "would update web 1.0.0 -> 1.1.0\n"),
        (("agent", "remove", "web"), "would remove web 1.0.0\n"),
        (("agent", "update", "web", "--set", "interval=5"), "config.interval  10 -> 5"),
        (("package", "update", "demo"), "  restarts  web\n"),
        (("package", "install", "demo"), "would install demo 1.0.0 -> 1.1.0\n"),
        (("change", "undo", "1"), "would rollback web"),
    ],
)
def test_a_dry_run_shows_the_plan_and_does_nothing(opmas, manager, web, words, said):
    done = opmas(*words, "--dry-run")

    assert done.returncode == 0
    assert said in done.stdout
    assert done.stdout.endswith("nothing was done\n")
    assert list(manager.host.ledger.changes) == [1]


def test_a_dry_run_tells_what_is_known_to_be_bad(opmas, manager, web):
    opmas("package", "install", "demo")
    manager.host.packages["demo"]["versions"][-1]["bad_until"] = "2026-02-01T18:00:00Z"

    done = opmas("agent", "update", "web", "--version", "1.1.0", "--dry-run")

    assert "version 1.1.0 was undone before" in done.stdout


def test_changes_are_listed_by_filters(opmas, manager, web):
    manager.host.agent_put("db", "demo")
    manager.host.ledger.by_hand = True
    manager.host.agent_update("web", version="1.1.0")

    listed = json.loads(opmas("change", "list", "--agent", "web", "--active", "--json").stdout)
    newest = json.loads(opmas("change", "list", "-n", "2", "--json").stdout)

    assert [change["id"] for change in listed["changes"]] == [3]
    assert [change["id"] for change in newest["changes"]] == [3, 2]
    assert "change 3 is under way" in opmas("agent", "list").stdout
    assert opmas("change", "list", "-n", "0").returncode == 2


def test_a_change_that_is_unknown_is_3(opmas, manager):
    codes = [opmas("change", verb, "99").returncode for verb in ("show", "wait", "undo")]

    assert codes == [3, 3, 3]


def test_waiting_says_how_it_came_out(opmas, manager, by_hand):
    by_hand.ledger.doom("agent/web", "crashed", "it exits at once")
    by_hand.agent_update("web", version="1.1.0")
    threading.Timer(0.5, by_hand.finish, [2]).start()

    done = opmas("change", "wait", "2")

    assert done.returncode == 1
    assert "web: update reverted: it exits at once" in done.stdout


def test_undo_of_a_change_under_way_reverts_it(opmas, by_hand):
    by_hand.agent_update("web", version="1.1.0")
    by_hand.step(2)
    threading.Timer(0.5, by_hand.finish, [2]).start()

    done = opmas("change", "undo", "2")

    assert done.returncode == 0
    assert "web: update reverted: somebody took it back" in done.stdout


def test_undo_of_a_committed_change_is_a_change_of_its_own(opmas, manager, web):
    opmas("agent", "update", "web", "--version", "1.1.0")

    done = opmas("change", "undo", "2")

    assert (done.returncode, done.stdout) == (
        0,
        "web: rolled back 1.1.0 -> 1.0.0 (change 3)\n",
    )
    assert "undo of  change 2" in re.sub(" +", " ", opmas("change", "show", "3").stdout).replace(
        "undo of change", "undo of  change"
    )


def test_a_terminal_shows_one_line_that_counts_down(terminal, manager, by_hand):
    def advance():
        until_followed(manager)
        for _ in range(7):
            by_hand.step(2)
        by_hand.ledger.get(2)["watch_left"] = 42
        threading.Event().wait(1.2)  # longer than a tick
        by_hand.finish(2)

    other = threading.Thread(target=advance)
    other.start()
    code, shown = terminal("agent", "update", "web", "--version", "1.1.0", NO_COLOR="1")
    other.join(10)

    assert code == 0
    assert "\rchange 2, update web 1.0.0 -> 1.1.0: watching, 42 s left" in shown
    assert shown.endswith("\r\x1b[Kweb: updated 1.0.0 -> 1.1.0 (change 2)\n")


def test_events_tell_of_changes(opmas, manager, web):
    opmas("agent", "update", "web", "--version", "1.1.0")

    shown = opmas("events").stdout

    assert "change 2, update: watching -> committed (passed): it does as well as before" in shown
    assert "change 2: switch doing" in shown
