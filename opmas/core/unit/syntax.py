"""The syntax of unit files: the one place where text is escaped, and its inverse.

systemd reads a value in several steps (systemd.syntax(7), systemd.service(5)): a backslash at
the end of a line continues it, `%` is a specifier, lists split at spaces and know quotes and
backslashes, command lines know `$` besides. Each setting is one `Kind` by which its values are
written; `KINDS` is the closed list of settings that OPMAS writes. What no escape can
express (a newline, a control or format character) is refused, never dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from opmas.core.documents.fields import shown
from opmas.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Kind(Enum):
    """How the value of a setting is written."""

    TOKEN = auto()  # one plain word of a closed alphabet, taken as it is
    TEXT = auto()  # all of the line as it is, but %
    WORDS = auto()  # a list, with quotes where needed
    PATHS = auto()  # a list of paths to be mounted
    COMMAND = auto()  # a list in which $ is special too


# systemd 257 hands paths to its executor with an encoding that fails on some mixes of these.
UNMOUNTABLE: Final = "\"':\\"


KINDS: Final = {
    "After": Kind.WORDS,
    "AmbientCapabilities": Kind.WORDS,
    "BindPaths": Kind.PATHS,
    "BindReadOnlyPaths": Kind.PATHS,
    "BindsTo": Kind.WORDS,
    "CPUQuota": Kind.TOKEN,
    "CPUWeight": Kind.TOKEN,
    "CapabilityBoundingSet": Kind.WORDS,
    "Description": Kind.TEXT,
    "Environment": Kind.WORDS,
    "ExecStart": Kind.COMMAND,
    "ExecStartPre": Kind.COMMAND,
    "ExecStop": Kind.COMMAND,
    "IOWeight": Kind.TOKEN,
    "IPAddressAllow": Kind.WORDS,
    "IPAddressDeny": Kind.WORDS,
    "InaccessiblePaths": Kind.PATHS,
    "MemoryHigh": Kind.TOKEN,
    "MemoryMax": Kind.TOKEN,
    "PrivateDevices": Kind.TOKEN,
    "PrivateNetwork": Kind.TOKEN,
    "PrivateUsers": Kind.TOKEN,
    "ProcSubset": Kind.TOKEN,
    "ProtectClock": Kind.TOKEN,
    "ProtectHome": Kind.TOKEN,
    "ProtectKernelLogs": Kind.TOKEN,
    "ProtectKernelModules": Kind.TOKEN,
    "ProtectProc": Kind.TOKEN,
    "ReadWritePaths": Kind.PATHS,
    "RestartMaxDelaySec": Kind.TOKEN,
    "RestartPreventExitStatus": Kind.WORDS,
    "RestartSteps": Kind.TOKEN,
    "RestrictAddressFamilies": Kind.WORDS,
    "RestrictRealtime": Kind.TOKEN,
    "SupplementaryGroups": Kind.WORDS,
    "SystemCallFilter": Kind.WORDS,
    "TasksMax": Kind.TOKEN,
    "TemporaryFileSystem": Kind.WORDS,
    "TimeoutStartSec": Kind.TOKEN,
    "TimeoutStopSec": Kind.TOKEN,
    "Type": Kind.TOKEN,
    "User": Kind.TOKEN,
    "WatchdogSec": Kind.TOKEN,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a unit file; no values at all is the empty assignment that resets a list.

    A single path to be mounted may appear elsewhere, at `target`.
    """

    section: str
    key: str
    values: tuple[str, ...]
    target: str = ""


def render_unit(comment: str, settings: Iterable[Setting]) -> str:
    """Return the text of a unit file, or raise `InvalidError` for a value it cannot hold."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    section = ""
    for setting in settings:
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        lines.append(f"{setting.key}={_written(setting)}")
    return "\n".join(lines) + "\n"


def parse_unit(text: str) -> tuple[Setting, ...]:
    """Return what systemd would read in the text of a unit file that OPMAS wrote.

    Raises `InvalidError` for anything that `render_unit` doesn't write: another setting, a
    specifier, a variable.
    """
    found = []
    section = ""
    for line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        key, value = key.strip(), value.strip()
        if not (section and equals and key in KINDS):
            raise InvalidError(f"cannot read unit file: no setting of OPMAS: {shown(line)}")
        found.append(_setting(section, key, value))
    return tuple(found)


def _written(setting: Setting) -> str:
    for value in setting.values:
        if not value.isprintable():
            raise _refused(setting, value, "it has a character that is not printable")
    kind = KINDS[setting.key]
    if kind is Kind.TOKEN:
        return _token(setting)
    if kind is Kind.TEXT:
        return _text(setting)
    if kind is Kind.PATHS:
        return _paths(setting)
    return " ".join(_word(value, kind) for value in setting.values)


def _paths(setting: Setting) -> str:
    if set("".join((*setting.values, setting.target))) & set(UNMOUNTABLE):
        raise _refused(setting, " ".join(setting.values), "a path has a quote, colon or backslash")
    if not setting.target:
        return " ".join(_word(value, Kind.PATHS) for value in setting.values)
    (source,) = setting.values
    return _word(f"{source}:{setting.target}", Kind.PATHS)


_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+%?")


def _token(setting: Setting) -> str:
    value = " ".join(setting.values)
    if not _TOKEN.fullmatch(value):
        raise _refused(setting, value, "it is not one plain word")
    return value


def _text(setting: Setting) -> str:
    value = " ".join(setting.values)
    if len(setting.values) != 1 or value != value.strip() or not value:
        raise _refused(setting, value, "it is empty, or begins or ends with a space")
    if value.endswith("\\"):
        raise _refused(setting, value, "it ends with a backslash, which continues the line")
    return value.replace("%", "%%")


_BARE: Final = re.compile(r"[A-Za-z0-9_@+=,.:/~-]+")


def _word(value: str, kind: Kind) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if kind is Kind.COMMAND:
        escaped = escaped.replace("$", "$$")
    return f'"{escaped}"'


def _refused(setting: Setting, value: str, reason: str) -> InvalidError:
    return InvalidError(f"cannot write {setting.key}={shown(value)} to a unit file: {reason}")


def _logical_lines(text: str) -> Iterator[str]:
    """Yield the lines that are not empty and no comments, continued lines as one."""
    pending = ""
    for raw in text.split("\n"):
        line = raw.strip(" \t\r")
        if line.startswith(("#", ";")) or not (line or pending):
            continue
        if line.endswith("\\"):
            pending += f"{line[:-1]} "
            continue
        yield pending + line
        pending = ""


def _setting(section: str, key: str, value: str) -> Setting:
    values = _read(KINDS[key], value)
    if KINDS[key] is Kind.PATHS and len(values) == 1:
        source, _, target = values[0].partition(":")
        return Setting(section, key, (source,), target)
    return Setting(section, key, values)


def _read(kind: Kind, value: str) -> tuple[str, ...]:
    if kind is Kind.TOKEN and _TOKEN.fullmatch(value):
        return (value,)
    if kind is Kind.TEXT:
        return (_undoubled(value, "%"),)
    words = tuple(_undoubled(word, "%") for word in _split(value))
    if kind is Kind.COMMAND:
        return tuple(_undoubled(word, "$") for word in words)
    return words


_PART: Final = re.compile(r'(?P<space>[ \t]+)|(?P<bare>[^\s"\'\\]+)|(?P<quoted>"(?:[^"\\]|\\.)*")')


def _split(value: str) -> Iterator[str]:
    """Yield the words of a list, without their quotes and escapes."""
    word: list[str] = []
    position = 0
    while position < len(value):
        token = _PART.match(value, position)
        if token is None:
            raise InvalidError(f"cannot read unit file: quoting in {shown(value[position:])}")
        position = token.end()
        if token["space"]:
            yield "".join(word)
            word = []
        elif token["bare"]:
            word.append(token["bare"])
        else:
            word.append(re.sub(r"\\(.)", _unescaped, token["quoted"][1:-1]))
    if word:
        yield "".join(word)


def _unescaped(escape: re.Match[str]) -> str:
    if escape[1] not in {"\\", '"'}:
        raise InvalidError(f"cannot read unit file: the escape {shown(escape[0])}")
    return escape[1]


def _undoubled(value: str, mark: str) -> str:
    """Return the value with each doubled mark single; a single one would be expanded."""
    if mark in value.replace(mark * 2, ""):
        raise InvalidError(f"cannot read unit file: {shown(value)} would be expanded at {mark}")
    return value.replace(mark * 2, mark)
