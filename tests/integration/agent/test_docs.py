"""The agent of docs/how-to/write-an-agent.md works and is tested as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opmas.bundles.build import check_directory
from tests.integration.agent.authors import run_tests

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "how-to/write-an-agent.md"
REFERENCE = DOCS / "reference/sdk.md"


def block(page, language, containing=""):
    """Return the first block of that language in which the text is."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(found for found in blocks if containing in found)


@pytest.fixture
def spoolwatch(tmp_path):
    """Return the directory of the page's package, without its tests."""
    directory = tmp_path / "spoolwatch"
    (directory / "spoolwatch").mkdir(parents=True)
    (directory / "tests").mkdir()
    (directory / "agent.yaml").write_text(block(PAGE, "yaml"))
    (directory / "spoolwatch/__init__.py").write_text(block(PAGE, "python"))
    return directory


@pytest.mark.parametrize(
    ("page", "count"), [(PAGE, 2), (REFERENCE, 1)], ids=["how-to", "reference"]
)
def test_the_tests_on_a_page_pass(spoolwatch, page, count):
    (spoolwatch / "tests/test_spoolwatch.py").write_text(block(page, "python", "opmas_agent"))

    done = run_tests(spoolwatch)

    assert f"{count} passed" in done.stdout, done.stdout + done.stderr


def test_the_package_of_the_how_to_can_be_built(spoolwatch):
    assert check_directory(spoolwatch) == ()
