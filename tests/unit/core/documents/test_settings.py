"""Settings: defaults, the file, the environment, and what is refused."""

from __future__ import annotations

import pytest

from opmas.core.documents.settings import LogLevel, Settings, parse_settings
from opmas.errors import ConfigError


def test_an_empty_file_means_the_defaults() -> None:
    assert parse_settings(None, {}) == Settings()


def test_the_file_overrides_a_default_and_the_environment_overrides_the_file() -> None:
    document = {"manager": {"log_level": "warning", "state_dir": "/srv/opmas"}}
    environ = {"OPMAS_MANAGER_LOG_LEVEL": "debug", "OPMAS_START_CONCURRENCY": "4"}

    settings = parse_settings(document, environ)

    assert settings.manager.log_level is LogLevel.DEBUG
    assert settings.manager.state_dir == "/srv/opmas"
    assert settings.start.concurrency == 4


def test_a_list_of_paths_is_split_at_colons_in_the_environment() -> None:
    settings = parse_settings({}, {"OPMAS_MANAGER_PACKAGES_PATH": "/a:/b"})

    assert settings.manager.packages_path == ("/a", "/b")


def test_every_fault_is_named_at_once() -> None:
    document = {
        "manager": {"state_dri": "/x", "socket": "run.sock", "check_interval": "often"},
        "evnets": {},
    }
    environ = {"OPMAS_MANAGER_STATE_DRI": "/x", "OPMAS_START_CONCURRENCY": "many"}

    with pytest.raises(ConfigError) as refused:
        parse_settings(document, environ, where="/etc/opmas/opmas.yaml")

    assert refused.value.message.startswith("cannot read /etc/opmas/opmas.yaml: ")
    assert refused.value.problems == (
        'manager.socket: must be an absolute path (it starts with "/"), not "run.sock"',
        'manager.check_interval: must be a number from 1 to 3600, not "often"',
        'manager.state_dri: unknown key; did you mean "state_dir"?',
        (
            "OPMAS_MANAGER_STATE_DRI: no such setting (environment variable);"
            ' did you mean "OPMAS_MANAGER_STATE_DIR"?'
        ),
        'OPMAS_START_CONCURRENCY: must be a whole number from 1 to 1000, not "many"',
        'evnets: unknown key; did you mean "events"?',
    )


def test_a_variable_of_the_agents_sdk_is_no_setting_of_the_manager() -> None:
    assert parse_settings({}, {"OPMAS_AGENT_SOCKET": "/x"}) == Settings()


@pytest.mark.parametrize("document", [[], "text", 3, True])
def test_a_file_that_is_no_mapping_is_refused(document: object) -> None:
    with pytest.raises(ConfigError, match="must be a mapping"):
        parse_settings(document, {})


@pytest.mark.parametrize(
    ("written", "learn"), [(False, "off"), ("off", "off"), ("apply", "apply")]
)
def test_learning_is_switched_off_also_as_yaml_reads_it(written: object, learn: str) -> None:
    settings = parse_settings({"limits": {"learn": written, "max_memory_max": "1G"}}, {})

    assert (settings.limits.learn, settings.limits.max_memory_max) == (learn, 1 << 30)
