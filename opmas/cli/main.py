"""`opmas`: understand the command line, run the command, end with a documented exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from opmas.cli.exits import Exit, exit_for
from opmas.cli.parser import parse
from opmas.cli.session import Run, Session
from opmas.errors import OpmasError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `opmas` with the arguments and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal's encoding lacks must not end the command
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _ended(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # `opmas events | head`: quiet, also in Python's own flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _ended(words: list[str]) -> Exit:
    try:
        return _run(words)
    except OpmasError as error:
        _report(error, words)
        return exit_for(error)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:
        if os.environ.get("OPMAS_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        hint = "this is a bug; OPMAS_DEBUG=1 shows where it happened"
        _report(OpmasError(f"cannot go on: {what}", (hint,)), words)
        return Exit.BUG


def _run(words: list[str]) -> Exit:
    args = parse(words)
    args.words = words
    if args.command is None:
        stream = sys.stdout if args.noun is None else sys.stderr
        print(args.parser.format_help().rstrip(), file=stream)
        return Exit.OK if args.noun is None else Exit.USAGE
    with Session(args) as session:
        return _function(args.command.run)(session)


def _function(place: str) -> Run:
    from importlib import import_module

    module, _, name = place.partition(":")
    run: Run = getattr(import_module(f"opmas.cli.{module}"), name)
    return run


def _report(error: OpmasError, words: list[str]) -> None:
    from opmas.cli import failure

    sys.stdout.flush()
    if "--json" in words:
        import json

        print(json.dumps(failure.error_document(error)), file=sys.stderr)
    else:
        import argparse

        palette = Session(argparse.Namespace()).palette(sys.stderr)
        print(failure.render_error(error, palette), file=sys.stderr)
