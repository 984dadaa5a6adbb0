"""What a test needs of an agent.yaml, also where libraries are missing."""

import sys

import pytest

from opmas.agent.testing import SetupError, find_package, read_package
from opmas.agent.testing.package import config_problems, merged

PYTHON = """
api: opmas.agent/v1
name: web
runtime: python
entry: web:Web
timeouts: {stop: 3}
events: {subscribes: [opmas.agent.created]}
config:
  schema: {properties: {limit: {type: integer, minimum: 0}}}
  defaults: {limit: 5}
"""
EXEC = "name: web\nruntime: exec\ncommand: [./bin/web, -v]\n"


@pytest.fixture
def package_of(tmp_path):
    """Return a function that reads the package of that agent.yaml."""

    def read(text):
        (tmp_path / "agent.yaml").write_text(text)
        return read_package(tmp_path)

    return read


def test_a_python_package_has_the_defaults_of_the_unit(package_of):
    package = package_of(PYTHON)

    assert (package.entry, package.notifies, package.watchdog) == ("web:Web", True, 10)
    assert (package.start, package.stop) == (30, 3)
    assert package.subscribes == ("opmas.agent.created",)


def test_a_program_of_the_package_has_its_path(package_of, tmp_path):
    package = package_of(EXEC)

    assert package.program(package.command) == [f"{tmp_path}/bin/web", "-v"]
    assert (package.notifies, package.watchdog) == (False, 0)


def test_the_nearest_package_above_a_test_is_found(tmp_path):
    (tmp_path / "web/tests/deep").mkdir(parents=True)
    (tmp_path / "web/agent.yaml").touch()

    assert find_package(tmp_path / "web/tests/deep") == tmp_path / "web"


def test_a_test_outside_of_a_package_is_told_how_to_name_one(tmp_path):
    with pytest.raises(SetupError, match=r"no agent\.yaml in .*package="):
        find_package(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "cannot read"),
        ("- a", "cannot use"),
        ("name: web\n", "KeyError: 'runtime'; `opmas bundle check` says more"),
        ("name: web\nruntime: java\n", "KeyError: 'java'"),
    ],
)
def test_a_manifest_that_is_none_is_named(package_of, text, said):
    with pytest.raises(SetupError, match=said):
        package_of(text)


def test_what_the_schema_refuses_has_its_path(package_of):
    package = package_of(PYTHON)

    assert config_problems(package, {"limit": 5}) == []
    assert config_problems(package, {"limit": -1})[0].startswith("config.limit: -1 is less")


def test_without_pyyaml_it_is_said_how_to_get_it(package_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(SetupError, match=r"apt install python3-yaml, or pip install 'opmas\["):
        package_of(PYTHON)


def test_without_jsonschema_it_is_said_that_nothing_is_checked(package_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)

    with pytest.warns(UserWarning, match="apt install python3-jsonschema"):
        assert config_problems(package_of(PYTHON), {"limit": -1}) == []


def test_mappings_are_merged_and_all_else_is_replaced():
    defaults = {"a": {"b": 1, "c": [1, 2]}, "d": 1}

    assert merged(defaults, {"a": {"c": [3]}, "e": 2}) == {
        "a": {"b": 1, "c": [3]},
        "d": 1,
        "e": 2,
    }
