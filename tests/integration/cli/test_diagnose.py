"""`opmas diagnose` as a process: with a manager, without one, with one that never answers."""

import io
import json
import socket
import tarfile

import jsonschema
import pytest

from opmas.cli import schemas


@pytest.fixture
def settings(tmp_path):
    """Settings of a host that is this test's own."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (tmp_path / "state").mkdir()
    text = (
        f"manager: {{state_dir: {tmp_path}/state, unit_dir: {tmp_path}/units,"
        f" packages_path: [{tmp_path}/packages], socket: {tmp_path}/manager.sock}}\n"
    )
    (folder / "opmas.yaml").write_text(text)
    return str(folder)


def files(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = [m for m in tar.getmembers() if m.isfile()]
        read = {m.name.partition("/")[2]: tar.extractfile(m) for m in members}
        return {name: each.read().decode() for name, each in read.items() if each is not None}


def test_it_asks_the_manager_and_says_where_the_archive_is(
    opmas, manager, web, settings, tmp_path
):
    web["phase"] = "failed"
    web["config"] = {"password": "of-the-agent-1"}

    done = opmas(
        "--config", settings, "diagnose", "--output", str(tmp_path / "x.tar.gz"), "--json"
    )

    told = json.loads(done.stdout)
    jsonschema.validate(told, schemas.whole("opmas.diagnosis/v1"))
    found = files((tmp_path / "x.tar.gz").read_bytes())
    assert sorted(found) == sorted(told["files"])
    assert json.loads(found["agents/views.jsonl"])["name"] == "web"
    assert "explain/web.json" in found
    assert json.loads(found["history/web.json"])["states"][-1]["phase"] == "failed"
    assert json.loads(found["alerts.jsonl"])["subject"] == "agent/web"
    assert json.loads(found["timings.json"])["steps"]["bridge's answer"] < 1
    assert "of-the-agent-1" not in "".join(found.values())
    assert (tmp_path / "x.tar.gz").stat().st_mode & 0o777 == 0o600


def test_without_a_manager_it_says_so_and_ends_well(opmas, settings, tmp_path):
    done = opmas("--config", settings, "diagnose", "--output", str(tmp_path))

    (path,) = tmp_path.glob("opmas-diagnosis-*.tar.gz")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{path}: ")
    assert "cannot reach the manager" in files(path.read_bytes())["problems.txt"]


def test_a_manager_that_never_answers_costs_a_second(opmas, settings, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "manager.sock"))
        listener.listen()

        opmas("--config", settings, "diagnose", "--output", str(tmp_path / "x.tar.gz"))

    found = files((tmp_path / "x.tar.gz").read_bytes())
    assert "it took too long" in found["problems.txt"]
    assert json.loads(found["timings.json"])["parts"]["manager"] < 2


def test_wrong_settings_are_a_problem_and_no_end(opmas, settings, tmp_path):
    (tmp_path / "etc/opmas.yaml").write_text("manager: {log_level: loud}\n")

    done = opmas("--config", settings, "diagnose", "--output", str(tmp_path / "x.tar.gz"))

    assert done.returncode == 0
    problems = files((tmp_path / "x.tar.gz").read_bytes())["problems.txt"]
    assert "manager.log_level: must be one of" in problems


def test_an_archive_and_json_do_not_both_fit_on_standard_output(opmas, settings):
    done = opmas("--config", settings, "diagnose", "--output", "-", "--json")

    assert done.returncode == 2
    assert "name a file with --output" in done.stderr


def test_a_terminal_is_no_place_for_an_archive(terminal, settings):
    code, shown = terminal("--config", settings, "diagnose", "--output", "-")

    assert code == 2
    assert "a terminal" in shown


def test_a_name_that_is_no_agents_is_refused(opmas, settings):
    done = opmas("--config", settings, "diagnose", "--agent", "../x")

    assert done.returncode in {2, 6}
    assert "../x" in done.stderr
