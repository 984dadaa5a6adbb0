import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

from opmas.cli.commands import COMMANDS
from opmas.cli.documents import documents, render_commands
from opmas.cli.exits import Exit
from opmas.cli.schemas import SCHEMAS, whole

TOP = Path(__file__).parents[3]


@pytest.mark.parametrize("name", sorted(documents()))
def test_a_made_file_is_fresh(name):
    text = (TOP / name).read_text(encoding="utf-8")

    assert text == documents()[name], "run: python3 -m opmas.cli.documents"


def test_the_man_page_has_no_roff_warnings():
    argv = ["man", "--warnings", "--local-file", str(TOP / "packaging/man/opmas.1")]

    shown = subprocess.run(argv, capture_output=True, text=True, check=True)

    assert shown.stderr == ""
    assert "opmas agent explain NAME" in shown.stdout


def test_the_reference_has_every_command_and_exit_code():
    text = render_commands()

    assert [c.spelled for c in COMMANDS if f"`{c.spelled}`" not in text] == []
    assert [code for code in Exit if f"| {code:d} |" not in text] == []


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one(name):
    jsonschema.Draft7Validator.check_schema(whole(name))


def test_every_link_in_the_references_leads_somewhere():
    text = (TOP / "docs/reference/json.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## `(.+)`$", text, re.MULTILINE)
    anchors = {title.replace(".", "").replace("/", "") for title in titles}

    links = re.findall(r"\]\((?:json\.md)?#(\w[^)]*)\)", text + render_commands())

    assert set(links) <= anchors


def test_the_schemas_in_the_reference_are_json():
    text = (TOP / "docs/reference/json.md").read_text(encoding="utf-8")

    titles = [json.loads(block)["title"] for block in re.findall(r"```json\n(.+?)```", text, re.S)]

    assert titles == [*SCHEMAS, "event"]
