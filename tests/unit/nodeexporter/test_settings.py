"""The configuration: agent.yaml and the code say the same, and what is wrong is named."""

import jsonschema
import pytest
import yaml

from opmas.core.package.manifest import parse_manifest
from tests.unit.nodeexporter.exporter import PACKAGE, settings

MANIFEST = yaml.safe_load((PACKAGE / "agent.yaml").read_text())
CONFIG = MANIFEST["config"]


def problems_of(config):
    with pytest.raises(settings.SettingsError) as caught:
        settings.read_settings(config)
    return caught.value.problems


def test_the_manifest_has_no_fault():
    manifest = parse_manifest(MANIFEST, where="agent.yaml")

    assert manifest.name == PACKAGE.name


def test_the_defaults_of_agent_yaml_are_those_of_the_code_and_satisfy_the_schema():
    jsonschema.Draft202012Validator(CONFIG["schema"]).validate(CONFIG["defaults"])

    assert CONFIG["defaults"] == settings.DEFAULTS


def test_nothing_set_means_the_loopback_address_and_a_port_beside_debians():
    read = settings.read_settings({})

    assert (read.listen, read.enable, read.disable) == ("127.0.0.1:9101", (), ("systemd", "timex"))


@pytest.mark.parametrize(
    ("address", "listen", "reached_at"),
    [
        ("127.0.0.1", "127.0.0.1:9101", "127.0.0.1:9101"),
        ("0.0.0.0", "0.0.0.0:9101", "127.0.0.1:9101"),
        ("::", "[::]:9101", "[::1]:9101"),
        ("10.1.2.3", "10.1.2.3:9101", "10.1.2.3:9101"),
        ("fd00::1", "[fd00::1]:9101", "[fd00::1]:9101"),
    ],
)
def test_the_address_is_one_that_the_health_check_can_ask(address, listen, reached_at):
    read = settings.read_settings({"address": address})

    assert (read.listen, read.reached_at) == (listen, reached_at)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"prot": 1}, "prot: no such setting"),
        ({"address": "localhost"}, "address: must be an IP address like 127.0.0.1"),
        ({"address": 7}, "address: must be an IP address like 127.0.0.1"),
        ({"port": 80}, "port: must be a whole number from 1024 to 65535, not 80"),
        ({"port": "9101"}, "port: must be a whole number"),
        ({"port": True}, "port: must be a whole number"),
        ({"collectors": []}, "collectors: must be an object"),
        ({"collectors": {"on": []}}, "collectors: must be an object"),
        ({"collectors": {"enable": "cpu"}}, "collectors.enable: must be a list"),
        ({"collectors": {"enable": ["--help"]}}, "collectors.enable: must be names of collectors"),
        ({"collectors": {"disable": ["a.b"]}}, "collectors.disable: must be names of collectors"),
        ({"textfile_directory": "relative"}, "textfile_directory: must be an absolute path"),
        ({"textfile_directory": "/a\nb"}, "textfile_directory: must be an absolute path"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(config, problem):
    (said,) = problems_of(config)

    assert problem in said


def test_all_faults_are_named_at_once():
    assert len(problems_of({"port": 1, "address": "", "textfile_directory": ""})) == 3
