"""`python3 -m opmas.api`: its settings and the command `token`."""

import json
import logging
import os

import pytest

from opmas.api.__main__ import main
from opmas.api.logs import JournalFormatter
from opmas.api.settings import ApiSection, parse_api_settings
from opmas.api.token_command import become_owner, read_lifetime
from opmas.errors import ConfigError, InvalidError


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run the command on a database in a folder; return its status, output and errors."""
    monkeypatch.setenv("OPMAS_API_DATABASE", str(folder / "api.db"))
    mask = os.umask(0)

    def call(*arguments):
        status = main(["--config", str(folder), *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    yield call
    os.umask(mask)


def test_the_defaults_are_those_of_the_file_that_ships():
    assert parse_api_settings(None, {}) == ApiSection()


def test_the_environment_wins_over_the_file():
    document = {"api": {"listen": "127.0.0.1:1", "threads": 8, "waiting": 2}}

    found = parse_api_settings(document, {"OPMAS_API_LISTEN": "[::1]:2"})

    assert (found.listen, found.threads) == ("[::1]:2", 8)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"listen": "8420"}, "api.listen: must be HOST:PORT"),
        ({"listen": "unix:relative"}, "api.listen: must be HOST:PORT"),
        ({"threads": 0}, "api.threads: must be a whole number from 4"),
        ({"waiting": 64}, "api.waiting: must be less than api.threads"),
        ({"thread": 8}, 'api.thread: unknown key; did you mean "threads"?'),
    ],
)
def test_a_wrong_setting_is_named(section, problem):
    with pytest.raises(ConfigError) as caught:
        parse_api_settings({"api": section}, {})

    assert problem in caught.value.message


def test_a_token_is_printed_once(run):
    status, text, hint = run("token", "create", "--name", "ci")

    assert (status, text.count("opmas_")) == (0, 1)
    assert "cannot be shown again" in hint
    listed = run("token", "list")[1]
    assert "ci" in listed
    assert text.strip() not in listed


def test_a_token_in_json(run):
    _, text, _ = run("token", "create", "--name", "ci", "--expires", "90d", "--json")

    made = json.loads(text)
    assert made["token"].startswith(f"opmas_{made['id']}_")
    assert made["expires_at"] > made["created_at"]
    listed = json.loads(run("token", "list", "--json")[1])["tokens"]
    assert listed == [{key: value for key, value in made.items() if key != "token"}]


def test_a_token_is_revoked(run):
    run("token", "create", "--name", "ci")

    status, said, _ = run("token", "revoke", "ci")

    assert (status, said.split()[:2]) == (0, ["revoked", "ci"])
    assert run("token", "list")[1].startswith("there is no token")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["create", "--name", "a b"], 2, "cannot create token"),
        (["create", "--name", "ci", "--expires", "soon"], 2, 'such as "90d"'),
        (["revoke", "nope"], 1, 'cannot revoke token "nope"'),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, status, said):
    found, _, errors = run("token", *arguments)

    assert found == status
    assert said in errors


def test_a_wrong_file_ends_with_its_own_status(run, folder):
    (folder / "api.yaml").write_text("api: {threads: many}")

    status, _, errors = run("token", "list")

    assert status == 78
    assert "api.threads: must be a whole number" in errors


def test_any_other_folder_must_be_there(capsys):
    assert main(["--config", "/nonexistent", "token", "list"]) == 78
    assert "/nonexistent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90d", 90 * 86400), ("12h", 43200), ("1y", 365 * 86400), ("30s", 30), ("2w", 1209600)],
)
def test_a_lifetime_is_a_number_and_a_unit(written, seconds):
    assert read_lifetime(written) == seconds


@pytest.mark.parametrize("written", ["", "d", "0d", "-1d", "1.5d", "999y", "9" * 11 + "d", "1 d"])
def test_a_wrong_lifetime_is_refused(written):
    with pytest.raises(InvalidError, match="--expires"):
        read_lifetime(written)


def test_a_missing_directory_is_made_for_its_user_alone(folder):
    become_owner(folder / "state")

    assert (folder / "state").is_dir() == (os.geteuid() == 0)


def test_every_line_for_the_journal_has_its_priority():
    record = logging.LogRecord("x", logging.ERROR, "", 0, "one\ntwo", (), None)

    assert JournalFormatter("%(message)s").format(record) == "<3>one\n<3>two"
