"""How an error reaches the one who ran the command: text for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from opmas.cli.exits import exit_for
from opmas.cli.text import Palette, visible
from opmas.errors import ManagerError, OpmasError

RUNS_ON = "agents run on without it: `systemctl list-units 'opmas-agent@*'`; `opmas doctor` helps"


def error_document(error: OpmasError) -> dict[str, Any]:
    """Return the error as the JSON document `opmas.error/v1`."""
    return {
        "schema": "opmas.error/v1",
        "code": error.code,
        "message": error.message,
        "problems": list(error.problems),
        "exit_code": int(exit_for(error)),
    }


def render_error(error: OpmasError, palette: Palette) -> str:
    """Return `opmas: cannot …` and its problems, one a line."""
    lines = [f"{palette.paint('opmas:', 'bad')} {visible(error.message)}"]
    lines += [f"  {visible(problem)}" for problem in error.problems]
    if isinstance(error, ManagerError):
        lines.append(f"  {RUNS_ON}")
    return "\n".join(lines)
