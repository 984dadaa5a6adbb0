"""`opmas token …`: runs the API's own command, which owns the tokens, and shows its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.cli.exits import Exit, FailedError, UsageError
from opmas.cli.moments import local
from opmas.cli.text import Cell, render_table, visible
from opmas.errors import BackendError, ConfigError, InvalidError, OpmasError

if TYPE_CHECKING:
    from opmas.cli.session import Session, View

# The API's exit status, as `python3 -m opmas.api --help` says it.
ERRORS: dict[int, type[OpmasError]] = {2: InvalidError, 78: ConfigError}


def create_token(session: Session) -> Exit:
    """Make a token and print it, this once."""
    args = session.args
    name = args.name or args.name_option
    if name is None:
        raise UsageError(
            "cannot create a token: say who or what will use it",
            ("such as `opmas token create ci`",),
        )
    expires = ["--expires", args.expires] if args.expires else []
    token = _run(session, "create", f"--name={name}", *expires)
    session.show("opmas.token-created/v1", token, render_created)
    if not session.as_json:
        session.note("keep it now: it cannot be shown again")
    return Exit.OK


def list_tokens(session: Session) -> Exit:
    """Show the tokens, without their secrets."""
    session.show("opmas.token-list/v1", _run(session, "list"), render_tokens)
    return Exit.OK


def revoke_token(session: Session) -> Exit:
    """Close a token at once."""
    token = _run(session, "revoke", "--", session.args.token)
    session.show("opmas.token/v1", token, render_revoked)
    return Exit.OK


def _run(session: Session, *words: str) -> dict[str, Any]:
    if find_spec("opmas.api.__main__") is None:
        raise BackendError(
            "cannot manage tokens: the REST API is not installed",
            ("install it: `apt install opmas-api`",),
        )
    verb, *rest = words
    config = ["--config", session.config_dir]
    argv = [sys.executable, "-sP", "-m", "opmas.api", *config, "token", verb, "--json", *rest]
    environ = {**session.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(argv, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        raise _error(done.returncode, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _error(code: int, text: str) -> OpmasError:
    first, *problems = text.strip().split("\n")
    message = first.removeprefix("opmas-api: ") or f"cannot run the API's command: status {code}"
    kind = ERRORS.get(code, FailedError)
    return kind(message, tuple(problem.strip() for problem in problems))


def render_created(document: dict[str, Any], _view: View) -> str:
    """Return the token itself and nothing else, for `TOKEN=$(opmas token create …)`."""
    return visible(document["token"])


def render_revoked(document: dict[str, Any], _view: View) -> str:
    """Return which token was closed."""
    return visible(f"revoked {document['name']} ({document['id']})")


def render_tokens(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each token."""
    if not document["tokens"]:
        return "no tokens yet: `opmas token create NAME` makes one"
    head = ("NAME", "ID", "CREATED", "EXPIRES", "LAST USED")
    rows = [_row(token) for token in document["tokens"]]
    return render_table(head, rows, view.width, view.palette)


def _row(token: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        (token["name"], "bold"),
        (token["id"], ""),
        (local(token["created_at"]), ""),
        (local(token["expires_at"]) if token["expires_at"] else "never", ""),
        (local(token["last_used_at"]) if token["last_used_at"] else "-", "dim"),
    )
