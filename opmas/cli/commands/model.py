"""What a command is: its words for people and the place of its code.

The command line, its help, the completion, the man page and the reference are all made from
these values, so they cannot disagree.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Argument(NamedTuple):
    """One option or operand, in argparse's terms; `completes` names what a shell offers."""

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    dest: str = ""
    action: str = ""
    nargs: str = ""
    number: type[int] | type[float] | None = None
    choices: tuple[str, ...] = ()
    completes: str = ""

    @property
    def is_option(self) -> bool:
        """Whether it is written with hyphens."""
        return self.flags[0].startswith("-")

    @property
    def takes_value(self) -> bool:
        """Whether a value follows the option."""
        return self.action in {"", "append"}


class Command(NamedTuple):
    """One command: `run` is `module:function` in opmas.cli; `schema` is what --json prints.

    `variants` are pairs: an option, and the schema that --json prints with it.
    """

    path: tuple[str, ...]
    summary: str
    about: str
    examples: tuple[tuple[str, str], ...]
    run: str
    arguments: tuple[Argument, ...] = ()
    schema: str = ""
    variants: tuple[tuple[str, str], ...] = ()

    @property
    def spelled(self) -> str:
        """The command as it is typed."""
        return " ".join(("opmas", *self.path))


class Group(NamedTuple):
    """A noun that has commands below it."""

    name: str
    summary: str
    about: str


def option(*flags: str, text: str, **details: Any) -> Argument:
    """Return an option."""
    return Argument(flags, text, **details)


def operand(name: str, *, text: str, **details: Any) -> Argument:
    """Return a positional argument."""
    return Argument((name,), text, **details)


AGENT = operand("name", text="the agent", metavar="NAME", completes="agents")
AGENTS = operand("names", text="one or more agents", metavar="NAME", nargs="+", completes="agents")
PACKAGE = operand("name", text="the package", metavar="NAME", completes="packages")

NO_WAIT = option(
    "--no-wait", text="return as soon as the manager accepted it", action="store_true"
)
TIMEOUT = option(
    "--timeout",
    text="how long to wait for the outcome (default: 60)",
    metavar="SECONDS",
    number=float,
)
PATIENCE = option(
    "--timeout",
    text="how long to wait for the outcome (default: until the change has ended)",
    metavar="SECONDS",
    number=float,
)
WINDOW = option(
    "--window",
    text="for how long the agents are watched after it, 0 to 600 (default: by what is changed)",
    metavar="SECONDS",
    number=int,
)
EXPECT = option(
    "--expect",
    text="only if the agent is at this revision (`agent show` tells it)",
    metavar="REVISION",
    number=int,
)
PLAN_ONLY = option(
    "--dry-run", text="show what would be done in which order, change nothing", action="store_true"
)

COMMON = (
    option("--json", text="print JSON (docs/reference/json.md)", action="store_true"),
    option(
        "--socket",
        text="the manager's control socket (default: $OPMAS_MANAGER_SOCKET, then the"
        " configuration's, then /run/opmas/manager.sock)",
        metavar="PATH",
        completes="files",
    ),
    option(
        "--config",
        text="the directory that holds opmas.yaml (default: /etc/opmas)",
        metavar="DIR",
        dest="config_dir",
        completes="directories",
    ),
)
