"""The command line: built from the table of commands, with errors that suggest.

Only what the words on the command line name gets its options built: start-up counts, and no
command needs the options of the others.
"""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any, Final, NoReturn

from opmas.cli.commands import COMMANDS, GROUPS
from opmas.cli.commands.model import COMMON, Argument, Command
from opmas.cli.exits import MEANINGS, Exit, UsageError
from opmas.cli.names import did_you_mean
from opmas.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOUT: Final = (
    "Manages the agents on this host: systemd runs each as opmas-agent@NAME.service, the manager "
    "says which and how, and this command shows and changes it."
)
FIRST_STEPS: Final = (
    ("opmas status", "what runs on this host"),
    ("opmas package list", "what could run here"),
    ("opmas agent create hostwatch", "run one"),
)


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are `UsageError` and name the nearest word."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(formatter_class=_HelpText, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        raise UsageError(
            f"cannot understand the command line: {message}", (f"see `{self.prog} --help`",)
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        words = [str(choice) for choice in action.choices]
        hint = did_you_mean(str(value), words)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - it has no public name
            what = f'run "{self.prog} {value}": there is no such command{hint}'
        else:
            name = "/".join(action.option_strings) or action.metavar
            what = f'use "{value}" for {name}{hint or ": choose from " + ", ".join(words)}'
        raise UsageError(f"cannot {what}", (f"see `{self.prog} --help`",))


class _HelpText(argparse.HelpFormatter):
    """Keeps examples as they are and fills everything else."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return text
        return textwrap.fill(
            text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says; `command` is None when it names no command."""
    parser = build_parser(argv)
    args, unknown = parser.parse_known_args(list(argv))
    if unknown:
        wrong = unknown[0]
        command: Command | None = args.command
        arguments = (*COMMON, *(command.arguments if command else ()))
        hint = did_you_mean(wrong.split("=")[0], [f for a in arguments for f in a.flags])
        where = command.spelled if command else parser.prog
        what = "option" if wrong.startswith("-") else "argument"
        raise UsageError(
            f'cannot use "{wrong}": `{where}` has no such {what}{hint}', (f"see `{where} --help`",)
        )
    return args


def build_parser(words: Sequence[str]) -> Parser:
    """Return the parser, with the options of those commands alone that `words` may name."""
    parser = Parser(prog="opmas", description=ABOUT, epilog=_epilog())
    parser.set_defaults(command=None, parser=parser)
    parser.add_argument("--version", action="version", version=f"opmas {VERSION}")
    for argument in COMMON:
        _add(parser, argument)
    nouns = parser.add_subparsers(title="commands", metavar="COMMAND", dest="noun")
    groups: dict[str, Any] = {}
    for command in COMMANDS:
        parent = nouns
        if len(command.path) > 1:
            name = command.path[0]
            if name not in groups:
                groups[name] = _group(nouns, name)
            parent = groups[name]
        if all(word in words for word in command.path):
            _command(parent, command)
        else:
            parent.add_parser(command.path[-1], help=command.summary, add_help=False)
    return parser


def _group(nouns: Any, name: str) -> Any:
    group = GROUPS[name]
    parser = nouns.add_parser(name, help=group.summary, description=group.about)
    parser.set_defaults(command=None, parser=parser)
    for argument in COMMON:
        _add(parser, argument)
    return parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb")


def _command(parent: Any, command: Command) -> None:
    parser = parent.add_parser(
        command.path[-1],
        help=command.summary,
        description=command.about,
        epilog=render_examples(command.examples),
    )
    parser.set_defaults(command=command, parser=parser)
    taken = {flag for argument in command.arguments for flag in argument.flags}
    for argument in (*command.arguments, *COMMON):
        # `agent create --config FILE` hides the common --config DIR, which goes before it
        if argument in COMMON and taken & set(argument.flags):
            continue
        _add(parser, argument)


def _add(parser: Any, argument: Argument) -> None:
    details: dict[str, Any] = {"help": argument.help.replace("%", "%%")}
    if argument.action:
        details["action"] = argument.action
    if argument.takes_value:
        details |= {"metavar": argument.metavar or None, "type": argument.number}
        details |= {"nargs": argument.nargs} if argument.nargs else {}
        details |= {"choices": argument.choices} if argument.choices else {}
    if argument in COMMON:
        # a subparser's default would overwrite what was given before the command
        details["default"] = argparse.SUPPRESS
    if argument.dest:
        details["dest"] = argument.dest
    parser.add_argument(*argument.flags, **details)


def render_examples(examples: Sequence[tuple[str, str]]) -> str:
    """Return the examples as the end of a help text."""
    lines = [line for text, what in examples for line in (f"  {text}", f"      {what}")]
    return "\n".join(["examples:", *lines])


def _epilog() -> str:
    codes = [
        textwrap.fill(
            MEANINGS[code], 78, initial_indent=f"  {code:>3}  ", subsequent_indent=" " * 7
        )
        for code in Exit
    ]
    return "\n".join([render_examples(FIRST_STEPS), "", "exit codes:", *codes])
