"""`opmas.agent.testing`: agents of the samples, as their authors would test them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from opmas.agent.testing import (
    AgentUnderTest,
    CommandFailedError,
    ConfigRefusedError,
    Package,
    SetupError,
)
from tests.lab import wait_for

HERE = Path(__file__).parent


@pytest.fixture
def agent_of(tmp_path):
    """Return a function that makes, and does not start, an agent of a sample."""

    def make(sample, *, package=None, **options):
        found = Package(
            HERE,
            "samples",
            "python",
            entry=f"samples:{sample}",
            subscribes=("opmas.agent.created",),
            watchdog=10,
            **(package or {}),
        )
        return AgentUnderTest(found, tmp_path / "agent", **options)

    return make


@pytest.fixture
def script_of(tmp_path):
    """Return a function that makes an agent of a shell script."""

    def make(script, *, within=20.0, **package):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        found = Package(tmp_path, "script", "exec", command=("./program",), **package)
        return AgentUnderTest(found, tmp_path / "agent", within=within)

    return make


def has_ended(pid):
    """Return whether the process has ended; here nobody may wait for one that was left over."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_an_agent_is_ready_healthy_and_counts(agent_of):
    with agent_of("Plain") as agent:
        agent.wait_ready()

        assert agent.wait_event("set.up").message == "is set up"
        assert agent.wait_health("healthy").checks["colour"].status == "healthy"
        assert agent.wait_metric("rounds", lambda rounds: rounds >= 2)
        assert agent.metric("process_threads") >= 1
        assert (agent.state, agent.refused, agent.ignored) == ("active", [], [])
        assert agent.stop() == 0
        assert agent.wait_event("torn.down")


def test_a_configuration_is_taken_or_refused(agent_of):
    with agent_of("Plain", config={"colour": "red"}) as agent:
        agent.wait_ready()

        agent.configure({"status": "degraded"})
        with pytest.raises(ConfigRefusedError, match="bad: is not wanted") as caught:
            agent.configure({"bad": 1})

        seen = agent.wait_event("config.seen").data
        assert seen["after"] == {"colour": "red", "status": "degraded"}
        assert agent.wait_health("degraded", check="colour")
        assert caught.value.by == "agent"


def test_the_schema_refuses_before_the_agent_is_asked(agent_of):
    schema = {"properties": {"limit": {"minimum": 0}}}
    with agent_of("Plain", package={"schema": schema}) as agent:
        with pytest.raises(ConfigRefusedError, match=r"config\.limit") as caught:
            agent.configure({"limit": -1})

        assert caught.value.by == "schema"
        assert agent.config == {}


def test_events_are_delivered_that_the_package_subscribes_to(agent_of):
    with agent_of("Plain") as agent:
        agent.deliver("opmas.agent.created", subject="agent/other")
        seen = agent.wait_event("event.seen")
        agent.deliver("opmas.agent.created", subject="agent/another")

        assert agent.wait_event("event.seen", after=seen).number > seen.number
        with pytest.raises(SetupError, match=r"events\.subscribes"):
            agent.deliver("opmas.agent.removed")


def test_an_agent_that_ends_is_not_waited_for(agent_of):
    config = {"where": "setup", "raise": "config"}
    with agent_of("Failing", config=config) as agent:
        with pytest.raises(AssertionError) as caught:
            agent.wait_ready()

        assert "was not ready within 30 s and what it asked for: it exited with 78" in str(
            caught.value
        )
        assert "ConfigError: the database is away" in str(caught.value)
        assert agent.exit_code == 78


def test_a_wait_in_vain_tells_what_came_instead(agent_of):
    with agent_of("Plain", within=1) as agent:
        agent.wait_ready()
        with pytest.raises(AssertionError) as caught:
            agent.wait_event("set.down")

    told = str(caught.value)
    assert 'agent "samples": no event "set.down" came within 1 s' in told
    assert "set.up (info) 'is set up' {'config': {}}" in told
    assert "its health: healthy (colour healthy)" in told
    assert "its log:" in told


def test_a_hung_agent_is_ended_by_its_watchdog(agent_of):
    with agent_of("StuckRun", watchdog=0.6) as agent:
        agent.wait_fed()

        assert agent.wait_exit() == -signal.SIGABRT
        assert "Current thread" in agent.log


def test_a_crash_that_the_test_did_not_expect_fails_it(agent_of):
    agent = agent_of("Failing", config={"where": "run", "raise": "bug"})
    agent.__enter__()
    agent.process.wait_end()

    with pytest.raises(AssertionError, match="it exited with 1 and the test did not expect it"):
        agent.__exit__()


def test_an_agent_is_restarted_with_what_it_stored(agent_of):
    with agent_of("Plain") as agent:
        agent.wait_ready()
        (agent.state_directory / "kept").touch()
        agent.kill()

        agent.restart()

        assert (agent.state_directory / "kept").exists()
        assert agent.is_running


def test_an_agent_works_on_while_its_manager_is_away(agent_of):
    with agent_of("Plain") as agent:
        agent.wait_health("healthy")
        with agent.without_manager():
            agent.wait_log("manager away")

        agent.configure({"status": "degraded"})

        agent.wait_health("degraded")


def test_a_program_that_does_not_stop_is_killed_and_fails_the_test(script_of):
    program = script_of("trap '' TERM; echo here; while :; do sleep 1; done", stop=0.3)
    with program as agent:
        agent.wait_log("here")

        with pytest.raises(AssertionError, match=r"it did not end within 0\.3 s of SIGTERM"):
            agent.stop()

    assert not agent.is_running


def test_what_a_program_started_ends_with_it(script_of):
    with script_of("sleep 60 & echo $!; wait", notifies=False) as agent:
        child = int(agent.wait_log(""))
        agent.stop()

    wait_for(lambda: has_ended(child), 5, "it has ended too")


def test_a_word_of_a_child_is_not_heard_as_under_systemd(script_of):
    script = (
        'python3 -c "import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);'
        " s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\"; echo said; sleep 60"
    )
    with script_of(script, start=0.5) as agent:
        agent.wait_log("said")
        with pytest.raises(AssertionError, match="NotifyAccess=main"):
            agent.wait_ready()


def test_a_program_that_is_not_there_is_named(tmp_path):
    package = Package(tmp_path, "gone", "exec", command=("./gone",))

    with (
        pytest.raises(SetupError, match=r"cannot start .*/gone: No such file"),
        AgentUnderTest(package, tmp_path / "agent"),
    ):
        pass


def test_a_program_has_the_environment_of_its_unit_alone(script_of, monkeypatch):
    monkeypatch.setenv("SECRET", "of the author")
    with script_of("env; pwd", notifies=False) as agent:
        agent.process.wait_end()

    assert "SECRET" not in agent.log
    assert f"STATE_DIRECTORY={agent.state_directory}" in agent.log
    assert agent.log.endswith("\n/")


def test_hooks_and_checks_are_run_as_in_their_units(script_of):
    hooks = {
        "check": ["/bin/sh", "-c", 'echo "$1" >$STATE_DIRECTORY/x', "sh", "checked"],
        "migrate": ["/bin/sh", "-c", 'echo "$OPMAS_FROM_VERSION $OPMAS_TO_VERSION"'],
    }
    check = {"command": ["/bin/sh", "-c", 'cat "$STATE_DIRECTORY/x"']}
    with script_of("sleep 60", notifies=False, hooks=hooks, health_check=check) as agent:
        assert agent.check() == "checked"
        assert agent.run_hook("migrate", from_version="1", to_version="2") == "1 2"
        (agent.state_directory / "x").unlink()
        with pytest.raises(CommandFailedError, match="the health check ended with exit code 1"):
            agent.check()


def test_a_hook_that_refuses_the_start_keeps_the_agent_from_it(script_of):
    hooks = {"check": ["/bin/sh", "-c", "echo no port; exit 3"]}

    with (
        pytest.raises(CommandFailedError, match="the hook check ended with exit code 3: no port"),
        script_of("sleep 60", hooks=hooks),
    ):
        pass


def test_nothing_is_left_of_an_agent(agent_of):
    before = set(Path("/tmp").glob("opmas-*"))
    files = len(list(Path("/proc/self/fd").iterdir()))

    with agent_of("Plain") as agent:
        agent.wait_ready()
        pid = agent.pid

    assert set(Path("/tmp").glob("opmas-*")) <= before
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
