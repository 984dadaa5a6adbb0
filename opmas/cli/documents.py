"""The files that are made from the table of commands; a test keeps each fresh.

`python3 -m opmas.cli.documents` writes them below the current directory, the top of a checkout:
the man page, the references of the commands and of the JSON, the completion.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.cli import manpage, schemas
from opmas.cli.commands import COMMANDS, GROUPS
from opmas.cli.commands.model import COMMON, Argument, Command
from opmas.cli.completion import render_bash
from opmas.cli.exits import MEANINGS, Exit
from opmas.cli.schemas.host import EVENT

if TYPE_CHECKING:
    from collections.abc import Sequence

MADE: Final = "made by `python3 -m opmas.cli.documents`, do not edit"


def documents() -> dict[str, str]:
    """Return the text of each made file by its path in the source tree."""
    return {
        "packaging/man/opmas.1": manpage.render(),
        "packaging/completions/opmas.bash": render_bash(),
        "docs/reference/cli.md": render_commands(),
        "docs/reference/json.md": render_schemas(),
    }


def render_commands() -> str:
    """Return docs/reference/cli.md."""
    parts = [
        f"<!-- {MADE} -->",
        "# The command `opmas`",
        (
            "`opmas` talks to the manager over its control socket: be root or a member of the "
            "group `opmas`. It works without the REST API; `agent logs`, `doctor`, `diagnose`, "
            "`version`, `bundle` and `key` work also without the manager."
        ),
        "## Options of every command",
        _options(COMMON),
        (
            "`agent create` and `agent update` have a `--config FILE` of their own; there, write "
            "`--config DIR` before the command: `opmas --config DIR agent create …`."
        ),
        (
            "Colour is used on a terminal only; `NO_COLOR` turns it off. What agents say is shown "
            "with control characters as escapes (`\\x1b`)."
        ),
        "## Exit codes",
        _exit_table(),
        "With several agents the highest code of one of them counts.",
        "## Environment",
        _environment(),
    ]
    seen: set[str] = set()
    for command in COMMANDS:
        group = GROUPS.get(command.path[0])
        if group and group.name not in seen:
            seen.add(group.name)
            parts += [f"## `opmas {group.name}`", group.about]
        parts += _command(command, "###" if group else "##")
    return "\n\n".join(parts) + "\n"


def _command(command: Command, level: str) -> list[str]:
    parts = [f"{level} `{command.spelled}`", f"`{manpage.usage(command)}`", command.about]
    if command.arguments:
        parts.append(_options(command.arguments))
    examples = "\n".join(f"{text}\n    # {what}" for text, what in command.examples)
    parts.append(f"```sh\n{examples}\n```")
    if command.schema in schemas.SCHEMAS:
        linked = [_link(command.schema)]
        linked += [f"with `{option}` {_link(schema)}" for option, schema in command.variants]
        parts.append(f"JSON: {', '.join(linked)}")
    return parts


def _link(schema: str) -> str:
    return f"[`{schema}`](json.md#{schema.replace('.', '').replace('/', '')})"


def _options(arguments: Sequence[Argument]) -> str:
    rows = [f"| `{manpage.spelled(a)}` | {_cell(manpage.described(a))} |" for a in arguments]
    return "\n".join(("| | |", "|---|---|", *rows))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _exit_table() -> str:
    rows = [f"| {code:d} | {_cell(MEANINGS[code])} |" for code in Exit]
    return "\n".join(("| Code | Meaning |", "|---|---|", *rows))


def _environment() -> str:
    rows = [f"| `{name}` | {_cell(text)} |" for name, text in manpage.ENVIRONMENT]
    return "\n".join(("| | |", "|---|---|", *rows))


def render_schemas() -> str:
    """Return docs/reference/json.md."""
    parts = [
        f"<!-- {MADE} -->",
        "# The JSON of `opmas --json`",
        (
            "Every command takes `--json`. It prints one document whose member `schema` names its "
            "shape and version. Within a version members are only added, so ignore those that you "
            "do not know. All members listed here are always there, unless they are marked "
            "optional; what is unknown is `null`."
        ),
        (
            "With `--json` an error is a document too, `opmas.error/v1` on standard error, in "
            "one line. `opmas events --follow --json` prints one [event](#event) a line instead "
            "of one document. `opmas agent logs --json` prints journald's own JSON, one entry a "
            "line."
        ),
    ]
    for name in schemas.SCHEMAS:
        commands = [f"`{c.spelled}`" for c in COMMANDS if c.schema == name]
        commands += [
            f"`{c.spelled} {option}`"
            for c in COMMANDS
            for option, schema in c.variants
            if schema == name
        ]
        parts += _schema(name, schemas.whole(name), commands)
    parts += _schema("event", schemas.event(), ["`opmas events --follow`, each line"])
    return "\n\n".join(parts) + "\n"


def _schema(name: str, schema: dict[str, Any], commands: list[str]) -> list[str]:
    source = f" Printed by {', '.join(commands)}." if commands else ""
    rows = ["| Member | Type | Meaning |", "|---|---|---|", *_members(schema, "")]
    text = json.dumps(schema, indent=1)
    folded = f"<details><summary>JSON Schema</summary>\n\n```json\n{text}\n```\n\n</details>"
    return [f"## `{name}`", f"{schema['description']}{source}", "\n".join(rows), folded]


def _members(schema: dict[str, Any], before: str) -> list[str]:
    rows = []
    for name, member in schema["properties"].items():
        optional = "" if name in schema["required"] else ", optional"
        path = f"{before}{name}"
        kind = f"{_type(member)}{optional}"
        rows.append(f"| `{path}` | {kind} | {_cell(member['description'])} |")
        if "properties" in member:
            rows += _members(member, f"{path}.")
        items = member.get("items", {})
        if "properties" in items and not _is_document(items):
            rows += _members(items, f"{path}[].")
    return rows


def _is_document(items: dict[str, Any]) -> bool:
    return any(items is schema for schema in schemas.SCHEMAS.values()) or items is EVENT


def _type(member: dict[str, Any]) -> str:
    if "const" in member:
        return f"`{member['const']}`"
    kinds = member["type"] if isinstance(member["type"], list) else [member["type"]]
    if "enum" in member:
        return ", ".join(f"`{word}`" if word else "null" for word in member["enum"])
    names = [_list_type(member) if kind == "array" else kind for kind in kinds]
    return " or ".join(names)


def _list_type(member: dict[str, Any]) -> str:
    items = member["items"]
    for name, schema in schemas.SCHEMAS.items():
        if items is schema:
            return f"list of [`{name}`](#{name.replace('.', '').replace('/', '')})"
    if items is EVENT:
        return "list of [event](#event)"
    return f"list of {items['type']}"


def main() -> int:
    """Write every made file below the current directory; return how many were stale."""
    stale = 0
    for name, text in documents().items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
            stale += 1
    print("all are fresh" if not stale else f"{stale} were stale")
    return 0


if __name__ == "__main__":
    sys.exit(main())
