"""`opmas completion`: the bash script, from the table of commands, and the names it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.cli.commands import COMMANDS, GROUPS
from opmas.cli.commands.model import COMMON, Argument, Command
from opmas.cli.exits import Exit
from opmas.errors import OpmasError

if TYPE_CHECKING:
    from opmas.cli.session import Session

SOON: Final = 0.5  # seconds; a shell that hangs at Tab is worse than no names

# What is listed, by which method, under which member, by which member of each.
LISTS: Final = {
    "agents": ("agent.list", "agents", "name"),
    "packages": ("package.list", "packages", "name"),
    "changes": ("change.list", "changes", "id"),
}

HEAD: Final = """\
# bash completion for opmas; made by `opmas completion bash`, not to be edited

_opmas() {
    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    local path="" i=1 options="" kind=""
    COMPREPLY=()
    while ((i < COMP_CWORD)); do
        case "${COMP_WORDS[i]}" in
            --socket|--config) ((i++)) ;;
            -*) ;;
            *)
                path+=" ${COMP_WORDS[i]}"
                case "$path" in
                    @GROUPS@) ;;
                    *) break ;;
                esac
                ;;
        esac
        ((i++))
    done
    case "$path" in
"""

TAIL: Final = """\
    esac
    # the value of an option
    case "$path $before" in
@VALUES@
    esac
    if [[ $word == -* ]]; then
        kind="words:$options --help"
    fi
    case "$kind" in
        agents|packages|changes) kind="words:$(opmas completion "$kind" 2>/dev/null)" ;;
    esac
    case "$kind" in
        files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")) ;;
        directories) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$word")) ;;
        words:*) COMPREPLY=($(compgen -W "${kind#words:}" -- "$word")) ;;
    esac
}
complete -F _opmas opmas
"""


def print_completion(session: Session) -> Exit:
    """Print the script, or names one a line."""
    what = session.args.what
    if what == "bash":
        print(render_bash(), end="")
        return Exit.OK
    method, key, name = LISTS[what]
    try:
        with session.new_client(SOON) as manager:
            names = [found[name] for found in manager.call(method)[key]]
    except OpmasError:
        return Exit.OK  # a shell that completes has no place for an error
    for each in names:
        print(each)
    return Exit.OK


def render_bash() -> str:
    """Return the bash script."""
    tops = dict.fromkeys(command.path[0] for command in COMMANDS)
    common = _flags(COMMON)
    lines = [f'        "") kind="words:{" ".join(tops)}"; options="{common} --version" ;;']
    for name in GROUPS:
        verbs = " ".join(c.path[1] for c in COMMANDS if c.path[0] == name)
        lines.append(f'        " {name}") kind="words:{verbs}"; options="{common}" ;;')
    lines += [_command(command) for command in COMMANDS]
    groups = "|".join(f'" {name}"' for name in GROUPS)
    head = HEAD.replace("@GROUPS@", groups)
    return head + "\n".join(lines) + "\n" + TAIL.replace("@VALUES@", "\n".join(_values()))


def _command(command: Command) -> str:
    kind = next((_kind(a) for a in command.arguments if not a.is_option), "")
    flags = _flags((*command.arguments, *COMMON))
    return f'        " {" ".join(command.path)}") kind="{kind}"; options="{flags}" ;;'


def _flags(arguments: tuple[Argument, ...]) -> str:
    return " ".join(dict.fromkeys(f for a in arguments if a.is_option for f in a.flags))


def _kind(argument: Argument) -> str:
    if argument.choices:
        return f"words:{' '.join(argument.choices)}"
    return argument.completes


def _values() -> list[str]:
    lines = []
    for command in COMMANDS:
        path = " ".join(("", *command.path))
        lines += [
            f'        "{path} {flag}") kind="{_kind(argument)}" ;;'
            for argument in command.arguments
            if argument.is_option and argument.takes_value
            for flag in argument.flags
        ]
    # after the commands' own: `agent create --config` is a file, any other a directory
    lines += [
        f'        *" {flag}") kind="{argument.completes}" ;;'
        for argument in COMMON
        if argument.takes_value
        for flag in argument.flags
    ]
    return lines
