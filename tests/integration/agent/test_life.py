"""From exec to exit: readiness, signals, exit codes."""

from __future__ import annotations

import json
import signal

import pytest


@pytest.mark.parametrize("name", ["Plain", "AsyncPlain", "Idle"])
def test_an_agent_is_ready_after_setup_and_stops_cleanly_on_sigterm(start, notify, name):
    agent = start(name)
    notify.wait_for("READY=1")

    code = agent.stop()

    assert code == 0
    assert notify.wait_for("STOPPING=1")


def test_an_agent_works_with_the_manager_away_from_the_start(start, notify):
    agent = start("Plain", watchdog=0.6)
    notify.wait_for("READY=1")

    heard = notify.heard_for(1.0)

    assert heard.count("WATCHDOG=1") in range(3, 8)
    assert agent.stop() == 0


def test_setup_that_takes_long_asks_systemd_for_time(start, notify):
    start("SlowSetup")

    extension = notify.wait_for("EXTEND_TIMEOUT_USEC=")
    notify.wait_for("READY=1")

    assert int(extension.partition("=")[2]) >= 10_000_000
    assert "STATUS=reading the index" in notify.lines


@pytest.mark.parametrize("where", ["setup", "run"])
@pytest.mark.parametrize(
    ("kind", "code"), [("bug", 1), ("config", 78), ("fatal", 78), ("exit", 7)]
)
def test_the_class_of_an_error_decides_the_exit_code(start, notify, where, kind, code):
    agent = start("Failing", {"where": where, "raise": kind})

    assert agent.wait() == code


def test_a_failed_setup_says_why_in_its_first_line_and_in_the_status(start, notify):
    agent = start("Failing", {"where": "setup", "raise": "config"})

    agent.wait()

    why = "Failing.setup() failed: ConfigError: the database is away"
    assert agent.log.startswith(f"error: {why}\n")
    assert notify.wait_for("STATUS=") == f"STATUS={why}"
    assert "READY=1" not in notify.lines


def test_a_bug_is_logged_with_its_traceback_and_shown_in_the_status(start, notify):
    agent = start("Failing", {"where": "run", "raise": "bug"})

    agent.wait()

    assert "run() failed: ZeroDivisionError: a bug\nTraceback" in agent.log
    assert notify.wait_for("STATUS=run()") == "STATUS=run() failed: ZeroDivisionError: a bug"


def test_a_bug_in_teardown_makes_the_exit_code_1(start, notify):
    agent = start("Failing", {"where": "teardown", "raise": "bug"})
    notify.wait_for("READY=1")

    assert agent.stop() == 1


def test_a_setup_whose_dependency_is_away_is_tried_again_and_says_so(start, notify, manager):
    agent = start("Failing", {"where": "setup", "raise": "dependency"})

    notify.wait_for("STATUS=waiting")
    notify.wait_for("EXTEND_TIMEOUT_USEC=")
    health = manager.wait_for("health", status="degraded")
    manager.offer_config(2, {})
    notify.wait_for("READY=1")

    assert health["checks"][0]["code"] == "dependency-away"
    assert agent.stop() == 0


def test_sigterm_during_the_wait_for_a_dependency_ends_the_agent(start, notify):
    agent = start("Failing", {"where": "setup", "raise": "dependency"})
    notify.wait_for("STATUS=waiting")

    assert agent.stop() == 0


@pytest.mark.parametrize("kind", ["dependency", "degrade"])
def test_a_dependency_that_comes_back_ends_the_degraded_health(start, notify, manager, kind):
    start("Failing", {"where": "run", "raise": kind, "times": 3}, watchdog=0.6)

    degraded = manager.wait_for("health", status="degraded")
    done = manager.wait_for("event", type="round.done")
    manager.wait_for("health", status="healthy")

    assert degraded["checks"][0]["name"] == "run"
    assert done["data"] == {"tries": 4}


def test_sighup_reads_the_configuration_file_again(start, notify, manager, tmp_path):
    agent = start("Plain", {"colour": "red"})
    manager.wait_for("hello")
    notify.wait_for("READY=1")
    document = {"agent": "web", "version": 2, "config": {"colour": "blue"}}
    (tmp_path / "config.json").write_text(json.dumps(document), encoding="utf-8")

    agent.signal(signal.SIGHUP)

    assert manager.wait_for(
        "event",
        type="config.seen",
        data={"before": {"colour": "red"}, "after": {"colour": "blue"}},
    )
    notify.wait_for("RELOADING=1")
    notify.wait_for("READY=1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ("[]", "must be a JSON object"),
        ('{"config": 3}', "config: must be an object"),
        ('{"config": {}, "version": "one"}', "version: must be a whole number"),
    ],
)
def test_a_broken_configuration_file_is_named_and_not_tried_again(
    start, notify, tmp_path, text, said
):
    (tmp_path / "broken.json").write_text(text, encoding="utf-8")

    agent = start("Plain", environ={"OPMAS_AGENT_CONFIG": str(tmp_path / "broken.json")})

    assert agent.wait() == 78
    assert f"Plain cannot start: cannot read {tmp_path}/broken.json: " in agent.log
    assert said in agent.log


def test_the_credential_goes_before_the_file(start, notify, manager, tmp_path):
    (tmp_path / "credentials").mkdir()
    text = '{"agent": "web", "version": 1, "config": {"colour": "green"}}'
    (tmp_path / "credentials/config.json").write_text(text, encoding="utf-8")

    start("Plain", environ={"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})

    assert manager.wait_for("event", type="set.up")["data"] == {"config": {"colour": "green"}}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nothing", "'Nothing' is no subclass of BaseAgent"),
        ("Path", "'Path' is no subclass of BaseAgent"),
    ],
)
def test_an_entry_that_is_no_agent_is_refused(start, notify, name, said):
    agent = start(name)

    assert agent.wait() == 78
    assert said in agent.log


def test_a_hung_thread_of_asyncio_does_not_keep_the_agent_from_ending(start, notify):
    agent = start("AsyncThread")
    notify.wait_for("READY=1")

    assert agent.stop() == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Confused", "declare the method itself with `async def`"),
        ("WaitsInAsync", "use `await self.sleep(seconds)`"),
    ],
)
def test_a_mix_up_of_plain_and_asyncio_is_explained(start, notify, name, said):
    agent = start(name)

    assert agent.wait() == 1
    assert said in agent.log


def test_an_agent_may_end_itself(start, notify):
    agent = start("EndsItself")

    assert agent.wait() == 0
    assert notify.wait_for("STOPPING=1")


def test_a_module_that_is_not_there_is_not_tried_again(start, notify):
    agent = start("gone:Gone")

    assert agent.wait() == 78
    assert "cannot run gone:Gone: no module 'gone' in " in agent.log


def test_a_module_that_breaks_at_import_is_a_bug(start, notify, tmp_path):
    agent = start("broken:Broken")

    assert agent.wait() == 1
    assert (
        "cannot import broken:Broken: ModuleNotFoundError: No module named 'no_such" in agent.log
    )
    assert notify.wait_for("STATUS=cannot import broken:Broken")
