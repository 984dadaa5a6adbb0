"""A hook that is a function of the package: how it is called, and what its end means."""

import json
import logging
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from opmas.agent.hook import main

CONFIG = {"agent": "web", "config": {"port": 80}}
CODE = """
    import json, os
    import library
    from opmas.agent import ConfigError, DependencyError

    def told(*arguments):
        with open(os.path.join(os.path.dirname(__file__), "told.json"), "w") as file:
            json.dump([*arguments, library.NAME], file)

    async def later(*arguments):
        told(*arguments)

    def refuses(config):
        raise ConfigError("no port")

    def waits(config):
        raise DependencyError("db is away")

    def breaks(config):
        return 1 / 0

    NUMBER = 1
"""


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    """A package with libraries of its own; the process is as it was afterwards."""
    (tmp_path / "pinger.py").write_text(textwrap.dedent(CODE))
    (tmp_path / ".opmas" / "site").mkdir(parents=True)
    (tmp_path / ".opmas" / "site" / "library.py").write_text("NAME = 'its own'\n")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    path, handlers = sys.path[:], logging.getLogger().handlers[:]
    yield tmp_path
    sys.path[:] = path
    logging.getLogger().handlers[:] = handlers
    for name in ("pinger", "library"):
        sys.modules.pop(name, None)


def run(package: Path, entry: str, **environ: str) -> int:
    environment = {"CREDENTIALS_DIRECTORY": str(package), **environ}
    return main(["--path", str(package), entry], environment)


def told(package: Path) -> list[object]:
    found: list[object] = json.loads((package / "told.json").read_text())
    return found


def test_a_check_gets_the_configuration_and_the_package_s_libraries(package: Path) -> None:
    assert run(package, "pinger:told") == 0
    assert told(package) == [{"port": 80}, "its own"]


def test_a_migration_gets_both_versions(package: Path) -> None:
    code = run(package, "pinger:told", OPMAS_FROM_VERSION="1.0", OPMAS_TO_VERSION="2.0")

    assert code == 0
    assert told(package) == [{"port": 80}, "1.0", "2.0", "its own"]


def test_a_coroutine_function_is_run_to_its_end(package: Path) -> None:
    assert run(package, "pinger:later") == 0
    assert told(package) == [{"port": 80}, "its own"]


@pytest.mark.parametrize(
    ("entry", "code", "said"),
    [
        ("pinger:refuses", 78, "pinger:refuses: no port"),
        ("pinger:waits", 1, "pinger:waits: db is away"),
        ("pinger:breaks", 1, "ZeroDivisionError"),
        ("pinger:NUMBER", 78, "cannot run pinger:NUMBER: it is no function"),
        ("pinger:missing", 78, "cannot run pinger:missing: it is no function"),
        ("pingr:told", 78, "cannot run pingr:told: no module 'pingr'"),
    ],
)
def test_the_exit_code_says_whether_another_attempt_is_of_use(
    package: Path, capsys: pytest.CaptureFixture[str], entry: str, code: int, said: str
) -> None:
    assert run(package, entry) == code
    assert said in capsys.readouterr().err


def test_a_broken_configuration_is_named(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (package / "config.json").write_text("{")

    assert run(package, "pinger:told") == 78
    assert "config.json" in capsys.readouterr().err


def test_a_module_that_cannot_be_imported_is_a_bug(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (package / ".opmas" / "site" / "library.py").write_text("import nothing_like_it\n")

    assert run(package, "pinger:told") == 1
    assert "cannot import pinger:told: ModuleNotFoundError" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a:b", "c:d"]])
def test_wrong_usage_is_said(
    capsys: pytest.CaptureFixture[str], package: Path, arguments: list[str]
) -> None:
    assert main(arguments, {}) == 78
    assert "usage: " in capsys.readouterr().err
