"""The agent of docs/how-to/write-an-agent.md works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opmas.core.manifest import parse_manifest
from opmas.packages.yamlfile import parse_yaml

PAGE = Path(__file__).parents[3] / "docs/how-to/write-an-agent.md"


def block(language):
    """Return the first block of that language."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def module_path(tmp_path):
    """Return the directory that holds the page's agent."""
    (tmp_path / "spoolwatch").mkdir()
    (tmp_path / "spoolwatch/__init__.py").write_text(block("python"))
    return tmp_path


def test_the_agent_of_the_how_to_tells_of_a_full_spool(start, manager, module_path):
    (module_path / "spool").mkdir()
    (module_path / "spool/one").touch()
    config = {"path": str(module_path / "spool"), "limit": 0}

    start("spoolwatch:SpoolWatch", config, environ={"PYTHONPATH": path_with(module_path)})

    assert manager.wait_for("event", type="spool.full")["data"] == {"files": 1}
    assert manager.offer_config(2, {**config, "limit": -1})["applied"] is False


def test_the_manifest_of_the_how_to_is_one():
    manifest = parse_manifest(parse_yaml(block("yaml"), where="the page"), where="the page")

    assert manifest.entry == "spoolwatch:SpoolWatch"


def path_with(directory):
    """Return a PYTHONPATH of the tree and the directory."""
    return f"{PAGE.parents[2]}:{directory}"
