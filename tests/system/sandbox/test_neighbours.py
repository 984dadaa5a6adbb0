"""What systemd does with agents that need each other: the manager builds on it (decision 8)."""

import json
from collections.abc import Iterator

import pytest

from tests.lab import wait_for
from tests.system.sandbox.stage import Stage, stage

DB, WEB, SOFT = (f"opmas-agent@{name}.service" for name in ("db", "web", "soft"))


@pytest.fixture(scope="module")
def host() -> Iterator[Stage]:
    with stage("neighbours") as found:
        # each test starts and kills more often than an agent may
        found.write(
            "/etc/systemd/system/opmas-agent@.service.d/test.conf",
            "[Unit]\nStartLimitBurst=1000\n",
        )
        found.declare("db")
        found.declare("web", requires=["db"])
        found.declare("soft", wants=["db"])
        found.host.run("systemctl", "daemon-reload")
        yield found


@pytest.fixture
def up(host: Stage) -> Stage:
    """All three run."""
    assert host.systemctl("start", WEB, SOFT, DB)
    return host


def state(host: Stage, unit: str) -> str:
    return host.shown(unit, "ActiveState")[0]


def starts(host: Stage, unit: str) -> int:
    return int(host.shown(unit, "NRestarts")[0])


def kill(host: Stage, unit: str) -> None:
    host.systemctl("kill", "--signal=KILL", "--kill-who=main", unit)


def test_what_is_required_is_started_first(host: Stage) -> None:
    host.systemctl("stop", WEB, SOFT, DB)

    assert host.systemctl("start", WEB)

    began = [int(host.shown(unit, "ActiveEnterTimestampMonotonic")[0]) for unit in (DB, WEB)]
    assert began == sorted(began)


def test_a_crash_of_what_is_required_stops_the_agent_and_nobody_starts_it_again(up: Stage) -> None:
    before = starts(up, DB)

    kill(up, DB)

    wait_for(lambda: starts(up, DB) > before and state(up, DB) == "active", 10, "db again")
    assert up.shown(WEB, "ActiveState", "SubState", "Result") == ["inactive", "dead", "success"]
    assert state(up, SOFT) == "active"


def test_a_stop_of_what_is_required_stops_the_agent_first(up: Stage) -> None:
    assert up.systemctl("stop", DB)

    stopped = up.sh("journalctl -o json -t systemd -n 50")
    messages = [json.loads(line)["MESSAGE"] for line in stopped.splitlines()]
    ended = [line for line in messages if line.startswith("Stopped ")]
    assert [WEB in each for each in ended[-2:]] == [True, False]
    assert [state(up, unit) for unit in (DB, WEB, SOFT)] == ["inactive", "inactive", "active"]


def test_a_restart_of_what_is_required_restarts_the_agent(up: Stage) -> None:
    before = up.shown(WEB, "InvocationID")

    assert up.systemctl("restart", DB)

    wait_for(lambda: state(up, WEB) == "active", 10, "web again")
    assert up.shown(WEB, "InvocationID") != before


def test_what_is_wanted_and_was_stopped_by_hand_stays_stopped(up: Stage) -> None:
    up.systemctl("stop", DB)
    before = starts(up, SOFT)

    kill(up, SOFT)

    wait_for(lambda: starts(up, SOFT) > before and state(up, SOFT) == "active", 10, "soft again")
    assert state(up, DB) == "inactive"


def test_an_agent_whose_required_one_cannot_start_is_not_started(up: Stage) -> None:
    up.systemctl("stop", DB, WEB)
    up.systemctl("mask", "--runtime", DB)

    started = up.systemctl("start", WEB)

    up.systemctl("unmask", "--runtime", DB)
    assert not started
    assert state(up, WEB) == "inactive"


def test_an_agent_that_another_names_is_read_again_after_a_daemon_reload_alone(up: Stage) -> None:
    up.systemctl("stop", DB)
    up.declare("db", command=["/bin/sleep", "1000"])

    up.systemctl("start", DB)
    before = up.shown(DB, "ExecStart")
    up.systemctl("stop", DB)
    up.systemctl("daemon-reload")
    up.systemctl("start", DB)

    after = up.shown(DB, "ExecStart")
    assert ("/bin/sleep infinity" in before[0], "/bin/sleep 1000" in after[0]) == (True, True)
