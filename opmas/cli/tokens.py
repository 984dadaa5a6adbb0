"""`opmas token …`: the API's own command, which owns the tokens, in the same Python tree.

The words are handed on as they are: the API knows its options, and says what is wrong with them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from opmas.cli.exits import UsageError
from opmas.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opmas.cli.session import Session

VERBS: Final = ("create", "list", "revoke")
WITH_VALUE: Final = ("--config", "--socket")


def token_words(words: Sequence[str]) -> list[str] | None:
    """Return the words for the API when they are a token command that is complete, or None."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in WITH_VALUE else 1
    rest = list(words[place:])
    if rest[:1] != ["token"] or rest[1:2] == [] or rest[1] not in VERBS:
        return None
    # options before the command are options of the command
    return [*rest[1:], *words[:place]]


def become_api(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> NoReturn:
    """Become `python3 -m opmas.api token …`; never returns."""
    if not is_installed():
        raise BackendError(
            "cannot manage tokens: the REST API is not installed",
            ("install it: `apt install opmas-api`",),
        )
    argv = [sys.executable, "-sP", "-m", "opmas.api", "token", *words]
    sys.stdout.flush()
    os.execve(sys.executable, argv, {**environ, "PYTHONPATH": tree()})  # noqa: S606 - no shell


def is_installed() -> bool:
    """Return whether this tree has the API."""
    return importlib.util.find_spec("opmas.api.__main__") is not None


def tree() -> str:
    """Return the directory that this `opmas` was imported from."""
    return str(Path(__file__).resolve().parents[2])


def run_token_command(session: Session) -> NoReturn:
    """Say what is missing; a whole command was handed on before it was parsed here."""
    raise UsageError(
        f"cannot run `{session.args.command.spelled}` with these options",
        ("write the options after it",),
    )
