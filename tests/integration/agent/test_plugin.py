"""The fixture `opmas_agent` in a pytest of its own, as authors run it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from opmas.cli.authoring.new import make_directory
from opmas.cli.authoring.template import RUNTIMES, package_files
from tests.integration.agent.authors import ROOT, run_tests


@pytest.fixture
def web(tmp_path):
    """Return the directory of a new package."""
    make_directory(tmp_path / "web", package_files("web", "python"))
    return tmp_path / "web"


def write_test(directory, body):
    """Replace the tests of the package."""
    lines = "\n".join(f"    {line}" for line in body)
    text = f"def test_it(opmas_agent):\n{lines}\n"
    (directory / "tests/test_web.py").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["my-agent", "json"])
def test_a_new_package_passes_its_own_tests(tmp_path, name, runtime):
    make_directory(tmp_path / name, package_files(name, runtime))

    done = run_tests(tmp_path / name, "-q")

    assert "5 passed" in done.stdout, done.stdout + done.stderr


def test_a_test_that_fails_shows_how_its_agent_was(web):
    write_test(web, ["agent = opmas_agent()", "agent.wait_ready()", "assert agent.pid == 0"])

    done = run_tests(web)

    assert 'agent "web"' in done.stdout
    assert "the unit: active, status 'healthy'" in done.stdout
    assert "1 failed" in done.stdout


def test_a_wait_in_vain_shows_the_line_of_the_test_and_what_came(web):
    write_test(web, ["agent = opmas_agent(within=0.5)", 'agent.wait_event("no.such")'])

    done = run_tests(web)

    assert '>       agent.wait_event("no.such")' in done.stdout
    assert 'E       AssertionError: agent "web": no event "no.such" came' in done.stdout
    assert "observation.py" not in done.stdout


def test_an_agent_that_crashed_unseen_fails_its_test(web):
    (web / "web/__init__.py").write_text("raise OSError('no disk')\n")
    write_test(web, ["agent = opmas_agent()", "agent.process.wait_end()"])

    done = run_tests(web)

    assert 'agent "web": it exited with 1 and the test did not expect it' in done.stdout
    assert "OSError: no disk" in done.stdout


def test_a_fixture_needs_a_package_above_the_test(tmp_path):
    (tmp_path / "tests").mkdir()
    write_test(tmp_path, ["opmas_agent()"])

    done = run_tests(tmp_path)

    assert "cannot find the agent's package: no agent.yaml" in done.stdout


def test_the_plugin_is_cheap_where_it_is_not_used(tmp_path):
    seen = (
        "import sys; print([m for m in ('yaml', 'jsonschema', 'subprocess') if m in sys.modules])"
    )
    code = f"import opmas.agent.testing.plugin as plugin; {seen}"
    before = "import pytest; " + seen

    done = [
        subprocess.run(
            [sys.executable, "-c", text],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for text in (before, code)
    ]

    assert done[0] == done[1]
