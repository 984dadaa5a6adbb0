"""The documentation against the code: what is made is fresh, what is listed is whole."""

import re
from pathlib import Path

import pytest

from docs.generate import documents
from opmas.core.agent.explain import REASONS
from opmas.core.agent.terms import Phase, Reason
from opmas.core.change.cause import Cause
from opmas.errors import BY_CODE

TOP = Path(__file__).parents[3]
PAGES = sorted(
    path
    for path in [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("opmas/**/*.md")]
    if ".venv" not in path.parts
)
REFERENCE = TOP / "docs/reference"
# Said by a template string, and so not to be found as a whole.
COMPOSED = {"opmas.package.added", "opmas.package.changed", "opmas.package.removed"}
PROGRAMS = {"opmas.agent.probe", "opmas.agent.hook"}  # reads like an event type


def code(*folders: str) -> str:
    files = [path for folder in folders for path in sorted(TOP.glob(f"opmas/{folder}/**/*.py"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def first_column(page: str, under: str = "") -> list[str]:
    """The names in code marks that begin the rows of the tables below a heading."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    text = re.split(r"\n## ", text.partition(f"\n## {under}\n")[2])[0] if under else text
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize(("path", "text"), documents().items(), ids=documents().keys())
def test_what_is_made_from_the_code_is_fresh(path: str, text: str):
    found = (TOP / path).read_text(encoding="utf-8")

    assert found == text, "stale: run `python3 -m docs.generate`"


def test_every_error_code_is_in_the_reference():
    assert set(first_column("errors.md")) >= set(BY_CODE)


def test_every_problem_of_a_host_is_in_the_reference():
    reported = re.findall(r"\.report\(\s*\"([a-z-]+)\"", code("manager"))

    documented = first_column("errors.md", "Problems of a host")

    assert set(documented) == set(reported)


def test_every_reason_is_explained_in_the_words_of_the_product():
    text = (REFERENCE / "reasons.md").read_text(encoding="utf-8")

    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", text, re.MULTILINE))

    assert rows == {str(reason): REASONS[reason] for reason in Reason}


def test_every_reason_of_a_verdict_is_in_the_reference():
    assert sorted(first_column("verdicts.md")) == sorted(Cause)


def test_every_phase_is_explained():
    text = (REFERENCE / "lifecycle.md").read_text(encoding="utf-8")

    rows = re.findall(
        r"^\| `([a-z]+)` \| [^|]+ \| [^|]* ?\|$", text.partition("## The picture")[0], re.M
    )

    assert [row for row in rows if row in set(Phase)] == [str(phase) for phase in Phase]


def test_every_event_type_is_in_the_reference():
    literals = re.findall(
        r"\"(opmas\.(?:agent|alert|change|limits|log|package|manager)\.[a-z-]+)\"",
        code("core", "manager"),
    )
    told = {*literals} - PROGRAMS | COMPOSED

    documented = first_column("events.md")

    assert sorted(documented) == sorted(told)


def test_every_method_of_the_control_socket_is_in_the_reference():
    methods = re.findall(r"^ {12}\"([a-z]+\.[a-z]+)\": ", code("manager"), re.MULTILINE)

    documented = first_column("protocol.md", "manager.sock")

    assert methods
    assert sorted(documented) == sorted(methods)


def test_every_message_between_agent_and_manager_is_in_the_reference():
    heard = re.findall(r"^ {12}case \"([a-z]+)\":", code("manager"), re.MULTILINE)
    said = re.findall(r"link\.(?:call|notify)\(\"([a-z]+)\"", code("manager"))

    documented = first_column("protocol.md", "agent.sock")

    assert documented == [*heard, *said]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_every_link_leads_somewhere(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)

    dead = [link for link in links if not leads_somewhere(page, link)]

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_every_row_belongs_to_a_table_with_a_head(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)

    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)

    headless = [t.splitlines()[0] for t in tables if not re.match(r".*\n\|[ :|-]+\|\n", t)]
    assert headless == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not heading or heading in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The headings as links to them are written."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def test_every_unit_that_is_named_exists():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"\bopmas[a-z-]*(?:@|@[A-Z]+|@%i)?\.(?:service|socket|slice)\b", text))

    units = {path.name for path in (TOP / "units").iterdir()}

    assert {re.sub(r"@\w+\.", "@.", name) for name in named} <= units


def test_every_default_path_of_the_settings_is_in_the_list_of_files():
    settings = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`(/(?:run|var|etc|usr/lib)/[^`]*opmas[^`]*)`", settings))

    files = (REFERENCE / "files.md").read_text(encoding="utf-8")

    assert [path for path in sorted(paths) if path not in files] == []


def test_the_readme_is_one_page():
    lines = (TOP / "README.md").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 120


def test_every_page_is_in_the_table_of_contents():
    text = (TOP / "docs/README.md").read_text(encoding="utf-8")
    decisions = (TOP / "docs/adr/README.md").read_text(encoding="utf-8")
    pages = [path for path in PAGES if TOP / "docs" in path.parents and path.name != "README.md"]

    missing = [page.name for page in pages if page.name not in text + decisions]

    assert missing == []


def test_no_module_is_longer_than_400_lines():
    lengths = {
        str(path.relative_to(TOP)): len(path.read_text(encoding="utf-8").splitlines())
        for path in TOP.glob("opmas/**/*.py")
    }

    assert {path: length for path, length in lengths.items() if length > 400} == {}
