"""Finds values under secret names in text: YAML, JSON, ini, environments, command lines, URLs.

Where a value ends is a guess, and a wrong one takes out too much rather than too little.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from opmas.diagnosis.redaction.names import NAME, PLAIN, STEMS, find_words

if TYPE_CHECKING:
    from collections.abc import Iterator

# After a name: `=`, `: `, `":`, `\":`, `=>`, `%3D`, `>` as in XML; or a blank, after `--name`.
_ASSIGNED: Final = re.compile(
    rf"(?P<name>{NAME}[\w.\-]*)[\])]?(?:\\*[\"'])?"
    r"(?:[ \t]{0,8}(?P<sep>=>|:=|==?|:|%3[aAdD]|>)|(?P<flag>,?[ \t]+(?=\S)))"
)
_FLAG: Final = re.compile(r"--?[\w.\-]*\Z")
_BEFORE: Final = re.compile(r"[\w.\-\[]*\Z")
_QUOTED: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'')
_DEEPER: Final = re.compile(r"(\\+)([\"'])(.*?)(?<!\\)\1\2")  # JSON within JSON
_OPENING: Final = re.compile(r"\\*[\"']")
_WORD: Final = re.compile(r"(?:(?!&(?:amp;)?[\w.\-%\[\]]+=)\S)+")
_ENCODED: Final = re.compile(r"(?:(?!%26)[^\s&])+")
_BLOCK: Final = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?=\n)")
_LINE: Final = re.compile(r"[^\n]*")
_ARGUMENT: Final = re.compile(r"(?:(?![ \t]+(?:-|;(?:\s|$)))[^\n])+")
_NAME_LENGTH: Final = 80
_COLLECTION: Final = 20_000  # characters of a list or mapping in brackets
_PAIRS: Final = {"[": "]", "{": "}", "(": ")"}


class Value(NamedTuple):
    """Where a value under a secret name is."""

    name: str
    start: int
    end: int


def assigned(text: str) -> Iterator[Value]:
    """Yield the values under secret names, in order and apart."""
    done = 0
    for at in find_words(text, STEMS):
        match = _ASSIGNED.match(text, at) if at >= done else None
        value = None if match is None else _value(text, match)
        if value is not None and value.end > value.start:
            done = value.end
            yield value


def _value(text: str, match: re.Match[str]) -> Value | None:
    before = _identifier(text, match.start("name"))
    name = text[before : match.end("name")]
    if name.lower() in PLAIN:
        return None
    if match["sep"] is None:
        if _FLAG.search(text, max(0, before - 2), match.start("name")) is None:
            return None  # a word in a sentence
        start, end = _argument(text, match.end())
    elif match["sep"] == ">":
        start, end = match.end(), _until(text, "<", match.end())
    else:
        start, end = _of_separator(text, match, before)
    return Value(name, start, end)


def _identifier(text: str, at: int) -> int:
    found = _BEFORE.search(text, max(0, at - _NAME_LENGTH), at)
    return at if found is None else found.start()


def _of_separator(text: str, match: re.Match[str], before: int) -> tuple[int, int]:
    at = match.end()
    if match["sep"].startswith("%"):
        return at, _end(_ENCODED, text, at)
    start = at + len(text[at : at + 64]) - len(text[at : at + 64].lstrip(" \t"))
    if text[start : start + 1] in {"", "\n"} or _BLOCK.match(text, start):
        return _block(text, start, before)
    quoted = _quotes(text, start)
    if quoted is not None:
        return quoted
    opened = text[before - 1 : before] if before else ""
    if opened in {'"', "'"} and text[match.start("sep") - 1] != opened:
        return start, _until(text, opened, start)  # "NAME=two words"
    return start, _unquoted(text, start, match["name"], spaced=start > at)


def _unquoted(text: str, start: int, name: str, *, spaced: bool) -> int:
    if text[start] in _PAIRS and not text.startswith("[redacted", start):
        return _bracketed(text, start)
    if spaced:
        return _end(_LINE, text, start)
    end = _end(_WORD, text, start)
    # `Authorization:Bearer abc`, `Cookie:a=b; c=d`
    whole = text[start:end].lower() in {"bearer", "basic", "digest", "token", "negotiate"}
    if whole or "cookie" in name.lower() or "authoriz" in name.lower():
        return _end(_LINE, text, start)
    return end


def _argument(text: str, at: int) -> tuple[int, int]:
    """Return the argument of an option; one without quotes goes on to the next option."""
    quoted = _quotes(text, at)
    if quoted is not None:
        return quoted
    return at, _end(_ARGUMENT, text, at)


def _quotes(text: str, at: int) -> tuple[int, int] | None:
    """Return what stands in the quotes that open there; to the end of the line when none close."""
    for pattern in (_QUOTED, _DEEPER):
        found = pattern.match(text, at)
        if found is not None:
            group = found.lastindex or 0
            return found.start(group), found.end(group)
    opening = _OPENING.match(text, at)
    return None if opening is None else (opening.end(), _end(_LINE, text, opening.end()))


def _block(text: str, start: int, before: int) -> tuple[int, int]:
    """Return the lines below the name that are indented deeper than it: YAML's blocks."""
    line = text.rfind("\n", 0, before) + 1
    first = text[line:before]
    indent = len(first) - len(first.lstrip(" \t-\"'"))
    end = _end(_LINE, text, start)
    while end < len(text):
        after = _end(_LINE, text, end + 1)
        below = text[end + 1 : after]
        if below.strip() and len(below) - len(below.lstrip(" \t")) <= indent:
            break
        end = after
    return start, end if text[start:end].strip() else start


def _bracketed(text: str, start: int) -> int:
    """Return where the bracket that opens there is closed, or the end of its line."""
    depth, opening = 0, text[start]
    closing = _PAIRS[opening]
    for at in range(start, min(len(text), start + _COLLECTION)):
        depth += (text[at] == opening) - (text[at] == closing)
        if depth == 0:
            return at + 1
    return _end(_LINE, text, start)


def _until(text: str, mark: str, at: int) -> int:
    line = _end(_LINE, text, at)
    found = text.find(mark, at, line)
    return line if found < 0 else found


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()
