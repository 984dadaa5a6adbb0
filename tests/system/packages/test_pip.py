"""`pip install .`: the SDK alone, with sdnotify and nothing else; the rest by extras."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOT_SOURCE = shutil.ignore_patterns(".*", "dist", "build", "*.egg-info", "__pycache__")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that got the tree by pip."""
    directory = tmp_path_factory.mktemp("pip")
    shutil.copytree(ROOT, directory / "opmas", ignore=NOT_SOURCE)
    venv = directory / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/pip", "install", "-q", directory / "opmas"], check=True)
    return venv / "bin/python"


def test_the_sdk_comes_with_sdnotify_alone(python: Path) -> None:
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    names = {line.split("==")[0] for line in listed.splitlines()}
    assert names - {"pip", "setuptools"} == {"opmas", "sdnotify"}


def test_the_sdk_imports_without_the_extras(python: Path) -> None:
    done = subprocess.run(
        [python, "-c", "from opmas.agent import BaseAgent"],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )

    assert done.stderr == ""


def test_the_command_is_there(python: Path) -> None:
    done = subprocess.run(
        [python.with_name("opmas"), "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("opmas ")
