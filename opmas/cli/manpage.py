"""opmas(1), made from the table of commands and the hand-written parts below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.cli.commands import COMMANDS
from opmas.cli.commands.model import COMMON, Argument, Command
from opmas.cli.exits import MEANINGS, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION: Final = (
    (
        "opmas shows and controls the agents of this host. Each agent is a systemd service, "
        "opmas-agent@NAME.service, which opmas-manager(8) declares and watches and systemd runs. "
        "So systemctl(1) and journalctl(1) show the truth about an agent, too; what systemctl "
        "stops is held until opmas agent start takes it back."
    ),
    (
        "opmas talks to the manager over its control socket and needs no other service. To use "
        "it be root or a member of the group opmas. opmas agent logs, opmas doctor, opmas "
        "diagnose and opmas version work while the manager is down, and so do opmas bundle and "
        "opmas key, which authors use without any privilege; only root says whom a host trusts."
    ),
    (
        "What agents say is shown with control characters as escapes, so that it cannot change "
        "the terminal. Colour is used on a terminal only. Tables are cut to the width of the "
        "terminal, and never when the output is none."
    ),
)
ENVIRONMENT: Final = (
    ("OPMAS_MANAGER_SOCKET", "the manager's control socket, as with --socket"),
    ("NO_COLOR", "when it is set and not empty, no colour is used"),
    ("COLUMNS", "the width of the terminal, when it is not the real one"),
    ("OPMAS_DEBUG", "when it is set, a bug ends with Python's traceback"),
)
FILES: Final = (
    ("/run/opmas/manager.sock", "the manager's control socket"),
    ("/etc/opmas/opmas.yaml", "the manager's settings; opmas reads manager.socket from it"),
    ("/etc/opmas/trusted-keys.d/", "the keys whose bundles this host installs"),
    ("/usr/lib/opmas/agents/", "the agent packages that dpkg owns"),
    ("/var/lib/opmas/packages/NAME/VERSION/", "the versions that came as bundles"),
    ("~/.config/opmas/keys/default.key", "the secret key that an author signs with"),
    ("/etc/systemd/system/opmas-agent@NAME.service.d/", "what the manager declares of an agent"),
)
NOTES: Final = (
    (
        "Grants. A package names what it needs beyond the closed sandbox, such as "
        "network=observe. opmas agent create shows each need with its explanation and asks; "
        "without a terminal it ends with exit code 6 and prints the command that grants what is "
        "missing."
    ),
    (
        "Changes. Whatever changes an agent or a package is a change with a number, which opmas "
        "change shows, waits for and undoes. An update, a rollback or an installation is waited "
        "for until it has ended; Ctrl-C ends the waiting and not the change. Afterwards the "
        "agent is watched, and put back as it was when it does worse than before."
    ),
    (
        "Text for programs. Every command takes --json; its documents are stable and named by "
        "their member schema. Errors are then JSON on standard error, too."
    ),
)
SEE_ALSO: Final = (
    "opmas-manager(8), agent.yaml(5), opmas.yaml(5), systemctl(1), journalctl(1), systemd.exec(5)"
)


SHORT: Final = 40  # characters of a synopsis beyond the command; longer ones say OPTION


def render() -> str:
    """Return the man page in roff."""
    lines = [
        '.\\" made by `python3 -m opmas.cli.documents`, do not edit',
        '.TH OPMAS 1 "" "OPMAS" "User Commands"',
        ".nh",  # a unit's or option's name must not be broken
        ".SH NAME",
        "opmas \\- see and control the OPMAS agents of a host",
        ".SH SYNOPSIS",
        *(_synopsis(command) for command in COMMANDS),
        ".SH DESCRIPTION",
        *_paragraphs(DESCRIPTION),
        ".SH COMMANDS",
        *(line for command in COMMANDS for line in _command(command)),
        ".SH OPTIONS",
        "Every command takes these; the common \\-\\-config goes before agent create and update.",
        *_arguments(COMMON),
        ".SH NOTES",
        *_paragraphs(NOTES),
        ".SH EXIT STATUS",
        *(line for code in Exit for line in (".TP", f".B {code:d}", _roff(MEANINGS[code]))),
        ".PP",
        "With several agents the highest code of one of them counts.",
        ".SH ENVIRONMENT",
        *_table(ENVIRONMENT, "B"),
        ".SH FILES",
        *_table(FILES, "I"),
        ".SH SEE ALSO",
        _roff(SEE_ALSO),
    ]
    return "\n".join(lines) + "\n"


def usage(command: Command) -> str:
    """Return how the command is written, in one line."""
    options = [f"[{a.flags[0]}{_value(a)}]" for a in command.arguments if a.is_option]
    return " ".join([command.spelled, *options, *_operands(command)])


def _operands(command: Command) -> list[str]:
    forms = {"?": "[{}]", "+": "{}…"}
    return [
        forms.get(a.nargs, "{}").format(a.metavar or a.flags[0])
        for a in command.arguments
        if not a.is_option
    ]


def spelled(argument: Argument) -> str:
    """Return an option with its short form and value, or an operand's name."""
    if not argument.is_option:
        return argument.metavar or argument.flags[0]
    return ", ".join(argument.flags) + _value(argument)


def described(argument: Argument) -> str:
    """Return what the argument means, with the words that it can be."""
    words = f": {', '.join(argument.choices)}" if argument.choices else ""
    return f"{argument.help}{words}"


def _value(argument: Argument) -> str:
    return f" {argument.metavar}" if argument.takes_value else ""


def _synopsis(command: Command) -> str:
    rest = usage(command).removeprefix(command.spelled).strip()
    if len(rest) > SHORT:
        rest = " ".join(["[OPTION…]", *_operands(command)])
    lines = [f".B {_roff(command.spelled)}", _roff(rest), ".br"]
    return "\n".join(line for line in lines if line)


def _command(command: Command) -> list[str]:
    lines = [f".SS {_roff(command.spelled)}", _roff(command.about)]
    lines += _arguments(command.arguments)
    lines += [".PP", "Examples:", ".PP", ".RS 4", ".nf"]
    lines += [_roff(text) for text, _ in command.examples]
    return [*lines, ".fi", ".RE"]


def _arguments(arguments: Sequence[Argument]) -> list[str]:
    return [
        line
        for argument in arguments
        for line in (".TP", f".B {_roff(spelled(argument))}", _roff(described(argument)))
    ]


def _paragraphs(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in (".PP", _roff(text))]


def _table(rows: Sequence[tuple[str, str]], font: str) -> list[str]:
    return [line for name, text in rows for line in (".TP", f".{font} {_roff(name)}", _roff(text))]


def _roff(text: str) -> str:
    """Return the text so that roff prints it as it is (groff_char(7))."""
    escapes = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "…": "\\&...", '"': "\\(dq"}
    escaped = "".join(escapes.get(c, c) for c in text)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
