"""What the parts read: secrets, settings, the journal."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from opmas.core.documents.settings import ManagerSection, Settings
from opmas.diagnosis import config, secrets
from opmas.diagnosis.journal import entries, render
from opmas.diagnosis.scene import Scene

SCHEMA = {
    "type": "object",
    "properties": {
        "password": {"type": "string", "secret": True},
        "plain": {"type": "string"},
    },
}
MANIFEST = """\
api: opmas.agent/v1
name: web
version: 1.0.0
summary: an agent
license: MIT
runtime: exec
command: [/bin/true]
config:
  schema:
    type: object
    properties:
      words: {type: string, secret: true}
"""


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "packages/web").mkdir(parents=True)
    (tmp_path / "packages/web/agent.yaml").write_text(MANIFEST)
    (tmp_path / "state/agents/web").mkdir(parents=True)
    manager = ManagerSection(state_dir="/state", packages_path=("/packages",))
    return Scene(
        root=tmp_path,
        settings=Settings(manager=manager),
        config_dir="/etc/opmas",
        socket="/none",
        environ={"OPMAS_MANAGER_LOG_LEVEL": "debug"},
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_values_that_the_schema_calls_secret_are_known():
    found = secrets.Found()
    found.schemas = {"web": [SCHEMA]}

    found.document({"package": "web", "config": {"password": "abc def", "plain": "x"}})

    assert found.values == {"abc def"}


def test_of_an_unknown_package_all_text_may_be_secret():
    found = secrets.Found()
    found.schemas = {}

    found.config({"a": {"b": "some text"}, "n": 5}, "gone")

    assert ("secret", "some text") in found.named


def test_a_secret_too_short_to_be_looked_for_is_hidden_in_its_place():
    document = [{"package": "web", "config": {"password": "a", "plain": "x"}}]

    found = secrets.hide(document, {"web": [SCHEMA]}, lambda _: "[M]")

    assert found == [{"package": "web", "config": {"password": "[M]", "plain": "x"}}]


def test_a_configuration_of_an_unknown_package_is_hidden_whole():
    found = secrets.hide({"package": "x", "config": {"a": "b"}}, {}, lambda _: "[M]")

    assert found["config"] == {"a": "[M]"}


def test_unit_files_tell_environments_credentials_and_files(scene):
    (scene.root / "env").write_text("export DB_PASS='of the file'\n")
    text = (
        '[Service]\nEnvironment="A_TOKEN=two words" \\\n  B=c\n'
        "SetCredential=x:the credential\nEnvironmentFile=-/env\n"
    )
    found = secrets.Found()

    secrets.unit_secrets(text, scene, found)

    assert found.named == {("A_TOKEN", "two words"), ("DB_PASS", "of the file")}
    assert found.values == {"the credential"}


def test_configurations_of_old_are_found_in_the_database(scene):
    database(scene)
    found = secrets.Found()
    found.schemas = secrets.load_schemas(scene)

    problems = list(secrets.from_database(scene, found, float("inf")))

    assert problems == []
    assert found.values == {"now secret", "once secret", "undone secret"}


def test_a_damaged_database_still_gives_its_secrets(scene):
    path = database(scene)
    content = path.read_bytes()
    path.write_bytes(b"spoilt" + content[6:])
    found = secrets.Found()
    found.schemas = secrets.load_schemas(scene)

    problems = list(secrets.from_database(scene, found, float("inf")))

    assert len(problems) == 1
    assert found.values == {"now secret", "once secret", "undone secret"}


def database(scene):
    path = scene.state / "manager.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE agents (name, spec);"
        "CREATE TABLE configs (agent, version, config);"
        "CREATE TABLE changes (id, document);"
    )
    now, once, undone = (
        {"package": "web", "config": {"words": f"{when} secret"}}
        for when in ("now", "once", "undone")
    )
    connection.execute("INSERT INTO agents VALUES ('web', ?)", (json.dumps(now),))
    connection.execute("INSERT INTO configs VALUES ('web', 1, ?)", (json.dumps(once["config"]),))
    connection.execute(
        "INSERT INTO changes VALUES (1, ?)", (json.dumps({"undo": {"spec": undone}}),)
    )
    connection.commit()
    connection.close()
    return path


def test_each_setting_says_where_it_comes_from():
    found = config.effective(
        {"manager": {"log_level": "info", "state_dir": "/x"}, "odd": {"a": 1}},
        {"OPMAS_MANAGER_LOG_LEVEL": "debug"},
    )

    assert found["manager.log_level"] == {
        "value": "debug",
        "from": "environment: OPMAS_MANAGER_LOG_LEVEL",
    }
    assert found["manager.state_dir"] == {"value": "/x", "from": "opmas.yaml"}
    assert found["manager.socket"] == {"value": "/run/opmas/manager.sock", "from": "default"}
    assert found["odd"]["from"] == "opmas.yaml: unknown"


def test_the_journals_lines_are_in_order_and_broken_ones_whole():
    newest_first = [
        {"MESSAGE": "later", "_SYSTEMD_UNIT": "u", "_PID": "1", "__REALTIME_TIMESTAMP": "3000000"},
        {"MESSAGE": "cret", "_STREAM_ID": "s", "__REALTIME_TIMESTAMP": "2000000"},
        {
            "MESSAGE": "se",
            "_STREAM_ID": "s",
            "_LINE_BREAK": "line-max",
            "_SYSTEMD_UNIT": "u",
            "__REALTIME_TIMESTAMP": "1000000",
        },
    ]
    text = "\n".join(map(json.dumps, newest_first)) + "\nno json\n"

    found = render(entries(text)).split("\n")

    assert found == [
        "1970-01-01T00:00:01.000Z u[] <> secret",
        "1970-01-01T00:00:03.000Z u[1] <> later",
    ]


def test_messages_that_are_no_text_are_shown_as_they_can_be():
    found = render([{"MESSAGE": [104, 105, 255]}, {"MESSAGE": None}, {"MESSAGE": ["a", "b"]}])

    assert [line.partition(" <> ")[2] for line in found.split("\n")] == [
        "hi\\xff",
        "(a long message, left out)",
        "a b",
    ]
