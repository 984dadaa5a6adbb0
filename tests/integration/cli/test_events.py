"""`opmas events`: pages, and following over a restart of the manager."""

import json
import signal
import subprocess
import sys
import time

import jsonschema
import pytest

from tests.integration.cli.conftest import command
from tests.integration.cli.test_json import SCHEMAS


def sequences(text):
    return [event["sequence"] for event in json.loads(text)["events"]]


@pytest.fixture
def follow(environ):
    """Start `opmas events --follow`; it is interrupted at the end."""
    running = []

    def start(*words):
        process = subprocess.Popen(
            command("events", "--follow", *words),
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


def lines(process, count):
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def wait_for_long_poll(manager):
    """Return once a follower waits for new events, which it does after it read the old ones."""
    deadline = time.monotonic() + 10
    while not any(params.get("wait") for _, params in manager.calls):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_start_the_newest_are_shown(opmas, manager):
    for _ in range(60):
        manager.host.emit("opmas.package.added", package="x")

    assert sequences(opmas("events", "--json").stdout) == list(range(11, 61))
    assert sequences(opmas("events", "--json", "-n", "2").stdout) == [59, 60]
    assert sequences(opmas("events", "--json", "-n", "0").stdout) == []


def test_all_events_after_a_number_come_whatever_a_page_holds(opmas, manager):
    for _ in range(2500):
        manager.host.emit("opmas.package.added", package="x")

    assert sequences(opmas("events", "--json", "--after", "3").stdout) == list(range(4, 2501))
    assert sequences(opmas("events", "--json", "--since", "1h", "-n", "2").stdout) == [2499, 2500]


def test_what_is_gone_is_said_beside_the_events(opmas, manager):
    for _ in range(9):
        manager.host.emit("opmas.agent.health", "agent/web")
    manager.host.events = manager.host.events[-2:]
    manager.host.dropped = [{"first": 1, "last": 7, "reason": "disk-full"}]

    shown = opmas("events", "--after", "3")
    document = json.loads(opmas("events", "--after", "3", "--json").stdout)

    assert "the events 4 to 7 are gone: the disk was full" in shown.stderr
    jsonschema.validate(document, SCHEMAS["opmas.event-list/v1"])
    assert document["dropped"] == [{"first": 4, "last": 7, "reason": "disk-full"}]


def test_filters_reach_the_manager(opmas, manager, web):
    manager.host.emit("opmas.agent.health", "agent/db", message="slow")

    done = opmas("events", "--agent", "web", "--type", "opmas.agent.created")

    assert done.stdout.count("\n") == 1
    assert "agent/web" in done.stdout


def test_following_misses_nothing_and_repeats_nothing_over_a_restart(follow, manager):
    manager.host.emit("opmas.package.added", package="before")
    process = follow("--json", "--after", "0")

    seen = lines(process, 1)
    wait_for_long_poll(manager)
    manager.stop()
    manager.host.emit("opmas.package.added", package="while it was away")
    manager.start()
    seen += lines(process, 1)
    manager.host.emit("opmas.package.added", package="after")
    seen += lines(process, 1)

    assert [event["sequence"] for event in seen] == [1, 2, 3]
    jsonschema.validate(seen[0], SCHEMAS["event"])


def test_following_says_on_standard_error_that_it_waits(follow, manager):
    manager.host.emit("opmas.package.added", package="x")
    process = follow("--json")
    wait_for_long_poll(manager)
    manager.stop()

    said = process.stderr.readline()
    manager.start()

    assert said.startswith("opmas: cannot ")
    assert said.endswith("; waiting for it\n")
    assert process.stderr.readline() == "opmas: the manager answers again\n"


def test_ctrl_c_ends_quietly(follow, manager):
    manager.host.emit("opmas.package.added", package="x")
    process = follow("--json")
    lines(process, 1)

    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 130
    assert process.stderr.read() == ""


def test_a_reader_that_goes_away_ends_it_quietly(environ, manager):
    for _ in range(1000):
        manager.host.emit("opmas.package.added", package="x" * 200)
    script = f"{sys.executable} -m opmas events --after 0 | head -1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["bash", "-c", script], env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout.endswith("\n141\n")
    assert done.stderr == ""
