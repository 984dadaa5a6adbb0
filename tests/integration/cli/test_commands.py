"""The whole command as a process: what it asks of the manager, prints, and ends with."""

import json
import subprocess
import sys

import pytest


def test_status_is_0_when_all_is_well(opmas, web):
    done = opmas("status")

    assert done.returncode == 0
    assert done.stdout.startswith("fake: manager ok\n")
    assert "web    demo     1.0.0    running  healthy" in done.stdout


def test_status_is_1_when_an_agent_needs_attention(opmas, web):
    web["phase"] = "failed"

    done = opmas("status")

    assert done.returncode == 1
    assert "`opmas agent explain web` says why" in done.stdout


def test_status_is_4_when_the_manager_is_away(opmas, manager):
    manager.stop()

    done = opmas("status")

    assert done.returncode == 4
    assert done.stderr.startswith("opmas: cannot reach the manager at ")
    assert "agents run on without it" in done.stderr


def test_create_without_a_terminal_says_which_command_grants(opmas, manager):
    done = opmas("agent", "create", "eye", "--package", "hostwatch", "--set", "a=b c")

    assert done.returncode == 6
    assert "network=observe: it may use network=observe" in done.stderr
    assert (
        "opmas agent create eye --package hostwatch --set 'a=b c' "
        "--grant network=observe --grant proc=host" in done.stderr
    )
    assert manager.host.agents == {}


def test_create_takes_its_name_from_the_package(opmas, manager):
    done = opmas("agent", "create", "hostwatch", "--grant-all", "--set", "disks.warn=80")

    assert (done.returncode, done.stdout) == (0, "hostwatch: created, running\n")
    agent = manager.host.agents["hostwatch"]
    assert agent["grants"] == ["network=observe", "proc=host"]
    assert agent["config"] == {"disks": {"warn": 80}}


def test_create_stopped_from_standard_input(opmas, manager):
    words = ("agent", "create", "web", "--package", "demo", "--stopped", "--config", "-")

    done = opmas(*words, "--limit", "memory_max=96M", "--after", "db", typed="interval: 5\n")

    assert done.returncode == 0
    agent = manager.host.agents["web"]
    assert (agent["desired"], agent["config"], agent["after"]) == (
        "stopped",
        {"interval": 5},
        ["db"],
    )
    assert agent["limits"]["memory_max"] == 96 * 1024**2


def test_create_of_an_agent_that_exists_is_refused(opmas, web):
    done = opmas("agent", "create", "web", "--package", "demo")

    assert done.returncode == 6
    assert "it exists already" in done.stderr


def test_a_dry_run_shows_what_is_missing_and_does_nothing(opmas, manager):
    done = opmas("agent", "create", "hostwatch", "--grant", "proc=host", "--dry-run")

    assert done.returncode == 0
    assert "not granted  network=observe" in done.stdout
    assert manager.host.agents == {}


def test_a_grant_that_the_package_does_not_need_names_the_nearest(opmas, manager):
    done = opmas("agent", "create", "hostwatch", "--grant", "network=obserf")

    assert done.returncode == 2
    assert 'did you mean "network=observe"?' in done.stderr


def test_update_changes_what_is_named_and_keeps_the_rest(opmas, manager):
    manager.host.agent_put("web", "demo", config={"a": 1, "b": 2}, after=["db"], desired="stopped")

    done = opmas("agent", "update", "web", "--set", "b=3", "--limit", "tasks_max=20")

    assert done.returncode == 0
    agent = manager.host.agents["web"]
    assert (agent["config"], agent["after"], agent["desired"]) == (
        {"a": 1, "b": 3},
        ["db"],
        "stopped",
    )
    put = next(params for method, params in manager.calls if method == "agent.put")
    assert put["limits"] == {"tasks_max": 20}
    assert put["expect"] == 1


def test_update_without_a_change_says_so(opmas, web):
    done = opmas("agent", "update", "web")

    assert done.returncode == 2
    assert "nothing to change was named" in done.stderr


def test_start_of_several_goes_on_past_one_that_is_unknown(opmas, manager, web):
    manager.host.agent_put("db", "demo", desired="stopped")

    done = opmas("agent", "start", "wbe", "db", "web")

    assert done.returncode == 3
    assert done.stdout == "db: running\nweb: running\n"
    assert done.stderr == 'opmas: cannot find agent "wbe"; did you mean "web"?\n'


def test_stop_waits_and_no_wait_does_not(opmas, manager, web):
    opmas("agent", "stop", "web")
    opmas("agent", "start", "web", "--no-wait")

    calls = [(method, params.get("wait")) for method, params in manager.calls]
    assert ("agent.stop", 60.0) in calls
    assert ("agent.start", None) in calls


def test_remove_asks_where_someone_can_answer_and_else_wants_yes(opmas, manager, web):
    refused = opmas("agent", "remove", "web")
    done = opmas("agent", "remove", "web", "--yes", "--purge")

    assert refused.returncode == 2
    assert "add --yes" in refused.stderr
    assert (done.returncode, done.stdout) == (0, "web: removed\n")
    assert manager.calls[-1][1]["purge"] is True


def test_list_filters(opmas, manager, web):
    manager.host.agent_put("db", "demo", desired="stopped")

    done = opmas("agent", "list", "--phase", "stopped", "--json")

    assert [agent["name"] for agent in json.loads(done.stdout)["agents"]] == ["db"]


def test_an_unknown_package_names_the_nearest(opmas, manager):
    done = opmas("package", "show", "hostwach")

    assert done.returncode == 3
    assert done.stderr == (
        'opmas: cannot find agent package "hostwach"; did you mean "hostwatch"?\n'
    )


def test_explain_is_sentences(opmas, web):
    done = opmas("agent", "explain", "web")

    sentences = "web is running\n  it is running\n  Next: nothing: it is as wanted\n"
    assert done.stdout.startswith(f"{sentences}Last changes:\n  change 1, ")
    assert done.stdout.endswith(" ago: create web 1.0.0, committed: it does as well as before\n")


def test_version_is_told_also_without_the_manager(opmas, manager):
    manager.stop()

    done = opmas("version")

    assert done.returncode == 0
    assert "manager  does not answer" in done.stdout


def test_a_deaf_manager_does_not_hang_the_shells_completion(opmas, manager):
    manager.deaf = True

    done = opmas("completion", "agents")

    assert (done.returncode, done.stdout) == (0, "")


def test_completion_offers_names(opmas, web):
    assert opmas("completion", "agents").stdout == "web\n"
    assert opmas("completion", "packages").stdout == "demo\nhostwatch\n"
    assert opmas("completion", "changes").stdout == "1\n"


@pytest.mark.parametrize(
    "words", [["status"], ["agent", "list"], ["change", "list"], ["package", "list"]]
)
def test_what_is_used_most_imports_nothing_that_is_slow(environ, web, words):
    slow = (
        "cryptography",
        "packaging",
        "yaml",
        "opmas.bundles",
        "opmas.core.change",
        "pathlib",
    )
    script = (
        f"import sys; from opmas.cli import main; main.main({words});"
        f" sys.exit(str([m for m in {slow} if m in sys.modules]))"
    )

    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 0),
        (("--version",), 0),
        (("--help",), 0),
        (("agent",), 2),
        (("agent", "shwo"), 2),
        (("agent", "show", "nobody"), 3),
        (("agent", "show", "No/Name"), 6),
        (("events", "--since", "soon"), 2),
        (("agent", "create", "x", "--config", "/no/such/file"), 3),
        (("agent", "start", "web", "--timeout", "-1"), 2),
    ],
)
def test_exit_codes(opmas, manager, words, code):
    assert opmas(*words).returncode == code


def test_a_denied_socket_is_5(environ, manager):
    manager.path.chmod(0o600)

    # imported as root: another user may not be able to read the tree that is tested
    script = (
        "import os, sys; from opmas.cli import failure, main, status;"
        ' os.setuid(65534); sys.exit(main.main(["status"]))'
    )

    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 5
    assert "run as root, or be a member of the group opmas" in done.stderr


def test_logs_runs_journalctl_for_the_unit(opmas, environ, tmp_path, web):
    program = tmp_path / "journalctl"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)

    done = opmas("agent", "logs", "web", "-n", "5", "-f", PATH=f"{tmp_path}:{environ['PATH']}")

    assert done.stdout == "--unit=opmas-agent@web.service --lines=5 --follow\n"


def test_logs_of_an_unknown_agent_name_the_nearest_and_the_way_to_old_logs(opmas, web):
    done = opmas("agent", "logs", "wbe")

    assert done.returncode == 3
    assert 'did you mean "web"?' in done.stderr
    assert "journalctl -u opmas-agent@wbe.service" in done.stderr


def test_logs_work_while_the_manager_is_away(opmas, environ, tmp_path, manager):
    program = tmp_path / "journalctl"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    manager.stop()

    done = opmas("agent", "logs", "gone", PATH=f"{tmp_path}:{environ['PATH']}")

    assert (done.returncode, done.stdout) == (0, "--unit=opmas-agent@gone.service\n")


def test_tokens_are_made_listed_and_revoked_by_the_api(opmas, tmp_path):
    (tmp_path / "api.yaml").write_text(f"api:\n  database: {tmp_path}/api/api.db\n")
    there = ("--config", str(tmp_path))

    made = opmas("token", "create", "ci", "--expires", "1d", *there)
    listed = opmas("token", "list", "--json", *there)
    revoked = opmas("token", "revoke", "ci", *there)
    again = opmas("token", "revoke", "ci", *there)
    wrong = opmas("token", "create", "ci", "--expires", "3", *there)

    assert made.stdout.startswith("opmas_")
    assert made.stderr == "opmas: keep it now: it cannot be shown again\n"
    assert [token["name"] for token in json.loads(listed.stdout)["tokens"]] == ["ci"]
    assert revoked.stdout.startswith("revoked ci (")
    assert (again.returncode, wrong.returncode) == (1, 6)
    assert again.stderr.startswith('opmas: cannot revoke token "ci"')


def test_doctor_works_without_a_manager_and_says_how_to_mend(opmas, tmp_path):
    done = opmas("doctor", "--config", str(tmp_path))

    assert done.returncode == 1
    assert "cannot reach the manager" in done.stdout
    assert "mend: systemctl restart opmas-manager" in done.stdout


def test_doctor_names_the_faults_of_the_settings(opmas, tmp_path):
    (tmp_path / "opmas.yaml").write_text("manager:\n  sokcet: /x\n")

    done = opmas("doctor", "--config", str(tmp_path))

    assert "sokcet" in done.stdout.split("\n")[0]
