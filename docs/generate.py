"""The parts of docs/reference that are made from the code; a test keeps them fresh.

So are the documents of the API's contract. `python3 -m docs.generate` in the top of a checkout
writes them. In a page, what stands between `<!-- made: NAME -->` and `<!-- end -->` is made here;
all else is written by hand.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from docs import (
    agent_schema,
    change_tables,
    contract_shapes,
    ladder_tables,
    misbehaviour,
    verdicts,
)
from opmas.api.problems import status_of
from opmas.api.settings import ApiSettings
from opmas.cli.exits import exit_for
from opmas.core.agent.state import TRANSITIONS, Cause, Fact
from opmas.core.documents.settings import PREFIX, Settings
from opmas.errors import BY_CODE, OpmasError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

TOP: Final = Path(__file__).resolve().parents[1]
PART: Final = re.compile(r"(<!-- made: (?P<name>[\w.-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# The steps that the picture shows; all of them would hide what matters.
DRAWN: Final = (
    ("registered", "starting"),
    ("starting", "running"),
    ("running", "reloading"),
    ("reloading", "running"),
    ("running", "starting"),
    ("running", "stopping"),
    ("stopping", "stopped"),
    ("stopped", "starting"),
    ("running", "stopped"),
    ("running", "backoff"),
    ("starting", "backoff"),
    ("backoff", "starting"),
    ("failed", "starting"),
    ("quarantined", "starting"),
)
# Where recovery.judge leads instead of to `backoff`.
GIVEN_UP: Final = ("failed", "quarantined")


def documents() -> dict[str, str]:
    """Return what each made file, and each page with a made part, has to be, by its path."""
    made = {
        "docs/reference/lifecycle.dot": lifecycle_dot(),
        "docs/reference/recovery.dot": ladder_tables.dot(),
        "docs/reference/agent.schema.json": agent_schema.schema_text(),
        "opmas/api/contract/documents.yaml": contract_shapes.text(),
    }
    for name in (
        "agent.yaml",
        "changes",
        "lifecycle",
        "errors",
        "settings",
        "verdicts",
        "recovery",
        "misbehaviour",
    ):
        path = f"docs/reference/{name}.md"
        made[path] = PART.sub(_fresh, (TOP / path).read_text(encoding="utf-8"))
    return made


def main() -> int:
    """Write what is stale, and say what was written."""
    for path, text in documents().items():
        place = TOP / path
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            place.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    return 0


def lifecycle_dot() -> str:
    """Return the life cycle as a graph for Graphviz, an edge for each pair of phases."""
    edges = "\n".join(
        f'  {before} -> {after} [label="{_lines(causes)}"];' for before, after, causes in _edges()
    )
    return (
        "// made by `python3 -m docs.generate` from core/agent/state.py; draw it with: dot -Tsvg\n"
        "digraph lifecycle {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n"
        f"{edges}\n}}\n"
    )


def _lifecycle_diagram() -> str:
    causes = {(before, after): causes for before, after, causes in _edges()}
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> registered"]
    lines += [f"    {a} --> {b}: {', '.join(causes[a, b])}" for a, b in DRAWN]
    lines += [f"    running --> {each}: unit failed" for each in GIVEN_UP]
    return "\n".join([*lines, "```"])


def _transitions() -> str:
    rows = ((f"`{before}`", ", ".join(causes), f"`{after}`") for before, after, causes in _edges())
    return _table(("In phase", "what happens", "leads to"), rows)


def _edges() -> Iterator[tuple[str, str, list[str]]]:
    for before, row in TRANSITIONS.items():
        for after in dict.fromkeys(row.values()):
            causes = [_cause(cause) for cause, target in row.items() if target is after]
            if before is not after:
                yield str(before), str(after), causes


def _cause(cause: Cause) -> str:
    return str(cause) if isinstance(cause, Fact) else cause.__name__.lower()


def _lines(causes: Iterable[str]) -> str:
    return "\\n".join(causes)


def _errors() -> str:
    kinds = sorted(BY_CODE.values(), key=_depth)
    return _table(("Code", "What it means", "HTTP", "`opmas` ends with"), map(_error, kinds))


def _depth(kind: type[OpmasError]) -> tuple[str, ...]:
    """Return the path from the base, so that a class stands before its subclasses."""
    return tuple(each.__name__ for each in reversed(kind.__mro__))


def _error(kind: type[OpmasError]) -> tuple[str, ...]:
    error = kind("")
    says = (kind.__doc__ or "").splitlines()[0].rstrip(".")
    if kind is OpmasError:
        says = "A fault of OPMAS itself; the journal of the service has it"
    exit_code = exit_for(error).value
    return (f"`{kind.code}`", says, str(status_of(error).value), str(exit_code))


def _settings(cls: type[Any], file: str) -> str:
    said = _comments((TOP / "config" / file).read_text(encoding="utf-8"))
    rows = []
    for section, kind in get_type_hints(cls).items():
        for each in dataclasses.fields(kind):
            variable = f"{PREFIX}{section}_{each.name}".upper()
            key = f"{section}.{each.name}"
            rows.append((f"`{key}`", f"`{_default(each.default)}`", f"`{variable}`", said[key]))
    return _table(("Key", "Default", "In the environment", "What it is"), rows)


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ":".join(str(each) for each in value) or "(none)"
    if isinstance(value, float):
        return f"{value:g}"
    if value is None:
        return "~"
    return str(value.value if isinstance(value, Enum) else value)


def _comments(text: str) -> dict[str, str]:
    """Return what the settings file says above each key, by `section.key`."""
    found: dict[str, str] = {}
    section = ""
    comment: list[str] = []
    for line in text.splitlines():
        if match := re.fullmatch(r"([a-z_]+):", line):
            section, comment = match[1], []
        elif match := re.fullmatch(r"  #([a-z_]+): .*", line):
            found[f"{section}.{match[1]}"] = " ".join(comment)
            comment = []
        elif match := re.fullmatch(r"  # (.*)", line):
            comment.append(match[1])
        else:
            comment = []
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


PARTS: Final[dict[str, Callable[[], str]]] = {
    "verdict-causes": lambda: _table(
        ("Reason", "In words", "It is seen", "What excuses it"), verdicts.causes()
    ),
    "verdict-gates": lambda: _table(("Reason", "In words", "It holds when"), verdicts.gates()),
    "verdict-troubles": lambda: _table(
        ("Reason", "In words", "It holds when"), verdicts.troubles()
    ),
    "verdict-outside": verdicts.outside,
    "verdict-exits": lambda: _table(
        ("The exit", "of a steady agent", "of an unsteady one"), verdicts.exits()
    ),
    "verdict-windows": lambda: _table(
        ("The change", "watched for", "with `migrate`"), verdicts.windows()
    ),
    "ladder-diagram": ladder_tables.diagram,
    "ladder-rungs": lambda: _table(
        ("Rung", "It is taken when", "What is done", "What follows"), ladder_tables.rungs()
    ),
    "ladder-policy": lambda: _table(("Key", "Default", "What it is"), ladder_tables.policy()),
    "ladder-alerts": lambda: _table(
        ("Alert", "Severity", "It is up when"), ladder_tables.alerts()
    ),
    "change-diagram": change_tables.diagram,
    "change-tasks": lambda: _table(("Task", "does", "its undo"), change_tables.tasks()),
    "change-kinds": lambda: _table(("Change", "its tasks, in order"), change_tables.kinds()),
    "misbehaviours": lambda: _table(
        ("Agent", "It", "Then", "What is told", "Within"), misbehaviour.rows()
    ),
    "misbehaviours-notes": misbehaviour.notes,
    "agent-keys": agent_schema.keys_table,
    "agent-sections": agent_schema.sections_text,
    "lifecycle-diagram": _lifecycle_diagram,
    "transitions": _transitions,
    "errors": _errors,
    "opmas.yaml": lambda: _settings(Settings, "opmas.yaml"),
    "api.yaml": lambda: _settings(ApiSettings, "api.yaml"),
}


def _fresh(match: re.Match[str]) -> str:
    return match[1] + "\n" + PARTS[match["name"]]() + "\n" + match[3]


if __name__ == "__main__":
    sys.exit(main())
