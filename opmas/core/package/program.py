"""Programs that a package names: its own, its health check's, its hooks'."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, shown

if TYPE_CHECKING:
    from opmas.core.documents.fields import Reader

_WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
# module:Class of an agent, module:function of a hook
ENTRY: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*:{_WORD}")


@dataclass(frozen=True, slots=True)
class Hooks:
    """Commands that are run at turns of an agent's life; an empty one is not there.

    A command of one word `module:function` is a function of a Python package.
    """

    check: tuple[str, ...] = ()
    migrate: tuple[str, ...] = ()
    pre_stop: tuple[str, ...] = ()


def is_function(command: tuple[str, ...]) -> bool:
    """Return whether the hook's command is a function of the package, and no program."""
    return len(command) == 1 and ENTRY.fullmatch(command[0]) is not None


def read_hooks(section: Fields, *, python: bool) -> Hooks:
    """Return the hooks in the section; its faults go to the section's `problems`."""
    hook: Reader[tuple[str, ...]] = _python_hook if python else command
    hooks = Hooks(
        check=section.get("check", hook, ()),
        migrate=section.get("migrate", hook, ()),
        pre_stop=section.get("pre_stop", hook, ()),
    )
    section.finish()
    return hooks


def command(value: object) -> tuple[str, ...]:
    """Read a program and its arguments; the program is absolute, or `./` below the package."""
    words = fields.each(fields.argument)(value)
    if not words:
        raise FieldError(("", "must not be empty: its first item is the program"))
    program = words[0]
    if program.startswith("./"):
        program = f"/{program[2:]}"
    try:
        fields.absolute_path(program)
    except FieldError as error:
        must = "must be an absolute path, or one below the package like ./bin/agent"
        raise FieldError(("[0]", f"{must}, not {shown(words[0])}")) from error
    if program == "/" or "$" in program:  # systemd would take $ for a variable in argv[0]
        raise FieldError(
            ("[0]", f"must be the path of a program, without $, not {shown(program)}")
        )
    return words


def _python_hook(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return command(value)
    if isinstance(value, str) and ENTRY.fullmatch(value):
        return (value,)
    must = "must be module:function, or a list of a program and its arguments"
    raise FieldError(("", f"{must}, not {shown(value)}"))
