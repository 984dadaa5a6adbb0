"""What an agent is told at its start."""

import pytest

from opmas.agent.errors import ConfigError
from opmas.agent.settings import read_settings

TEXT = '{"agent": "web", "package": "hostwatch", "version": 3, "config": {"a": 1}}'


def test_without_a_file_there_is_an_empty_configuration():
    settings = read_settings({})

    assert (settings.agent, settings.version, settings.config) == ("", None, {})


def test_the_file_gives_name_version_and_configuration(tmp_path):
    (tmp_path / "config.json").write_text(TEXT)

    settings = read_settings({"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert (settings.agent, settings.package) == ("web", "hostwatch")
    assert (settings.version, settings.config) == (3, {"a": 1})


def test_credentials_without_a_configuration_leave_it_to_the_file(tmp_path):
    (tmp_path / "mine.json").write_text(TEXT)
    environ = {
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "OPMAS_AGENT_CONFIG": str(tmp_path / "mine.json"),
    }

    assert read_settings(environ).version == 3


def test_a_file_that_was_named_and_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.json: No such file"):
        read_settings({"OPMAS_AGENT_CONFIG": str(tmp_path / "gone.json")})
