"""Typed reading of a document that a person wrote: every fault is named, with its path.

A *reader* turns one value into what the caller wants, or raises `FieldError` with the reason.
`Fields` reads the keys of one mapping with readers and collects what they refuse in
`Problems`, so that one answer tells a person all there is to mend. Types are strict: a bool is
no number, a number is no text.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from opmas.errors import InvalidError, OpmasError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Reader = Callable[[object], T]

SHOWN_LENGTH: Final = 60  # a wrong value may be of any size, a message may not
LINE_LENGTH: Final = 100
PATH_LENGTH: Final = 1024  # far below PATH_MAX (4096): room for what is added
ARGUMENT_LENGTH: Final = 4096


class FieldError(ValueError):
    """A reader refuses a value; `faults` are pairs of a path below the value and a reason."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("; ".join(reason for _, reason in faults))
        self.faults = faults


class Problems:
    """The faults found in one document, each as `path: reason`."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, path: str, reason: str) -> None:
        """Remember one fault."""
        self._found.append(f"{path}: {reason}" if path else reason)

    @property
    def found(self) -> tuple[str, ...]:
        """Return the faults in the order in which they were found."""
        return tuple(self._found)

    def check(self, doing: str, error: type[OpmasError] = InvalidError) -> None:
        """Raise the error when there are faults; `doing` is like `read agent.yaml`."""
        if self._found:
            more = f" (and {len(self._found) - 1} more)" if len(self._found) > 1 else ""
            raise error(f"cannot {doing}: {self._found[0]}{more}", self.found)


class Fields:
    """The keys of one mapping at `path`; what is not a mapping has no keys, and a problem."""

    def __init__(self, value: object, path: str, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self._asked: list[str] = []
        self._values: dict[str, object] = {}
        if value is None:  # an empty section
            return
        if not isinstance(value, Mapping):
            problems.add(path, f"must be a mapping of keys to values, not {shown(value)}")
            return
        for key, item in value.items():
            if isinstance(key, str):
                self._values[key] = item
            else:
                problems.add(path, _key_reason(key))

    def at(self, key: str) -> str:
        """Return the path of the key."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Tell whether the key has a value."""
        self._asked.append(key)
        return self._values.get(key) is not None

    def get(self, key: str, reader: Reader[T], default: T) -> T:
        """Return what the reader makes of the key's value; the default when there is none."""
        if not self.has(key):
            return default
        return self._read(key, reader, default)

    def need(self, key: str, reader: Reader[T], otherwise: T) -> T:
        """Return what the reader makes of the key's value, which must be there.

        `otherwise` is returned after a fault, so that reading goes on.
        """
        if not self.has(key):
            self.problems.add(self.at(key), "is missing")
            return otherwise
        return self._read(key, reader, otherwise)

    def section(self, key: str) -> Fields:
        """Return the fields of the mapping under the key; no value is an empty mapping."""
        self.has(key)
        return Fields(self._values.get(key), self.at(key), self.problems)

    def sections(self, key: str, most: int) -> list[Fields]:
        """Return the fields of each mapping in the list under the key, of at most so many."""
        if not self.has(key):
            return []
        value = self._values[key]
        if not isinstance(value, list | tuple):
            self.problems.add(self.at(key), f"must be a list of mappings, not {shown(value)}")
            return []
        if len(value) > most:
            self.problems.add(self.at(key), f"must have at most {most} items, not {len(value)}")
        path = self.at(key)
        return [
            Fields(item, f"{path}[{position}]", self.problems)
            for position, item in enumerate(value[:most])
        ]

    def refuse(self, key: str, reason: str) -> None:
        """Name a fault of the key when it has a value: it has no meaning here."""
        if self.has(key):
            self.problems.add(self.at(key), reason)

    def finish(self) -> None:
        """Name every key that nobody asked for, with the nearest one that exists."""
        known = list(dict.fromkeys(self._asked))
        for key in self._values:
            if key not in known:
                self.problems.add(self.at(shown_key(key)), f"unknown key{nearest(key, known)}")

    def _read(self, key: str, reader: Reader[T], default: T) -> T:
        try:
            return reader(self._values[key])
        except FieldError as error:
            for below, reason in error.faults:
                self.problems.add(self.at(key) + below, reason)
            return default


def text(value: object) -> str:
    """Read text of any kind."""
    if isinstance(value, str):
        return value
    raise _no_text("must be text", value)


def line(value: object) -> str:
    """Read one line of printable text: no control, format or unassigned characters."""
    return _line(value, LINE_LENGTH)


def argument(value: object) -> str:
    """Read one argument of a command: printable text, which may be empty."""
    return _line(value, ARGUMENT_LENGTH, empty=True)


def _line(value: object, length: int, *, empty: bool = False) -> str:
    found = text(value)
    if not found.isprintable():
        raise _refused("must be one line of printable characters", value)
    if not empty and not found.strip():
        raise FieldError(("", "must not be empty"))
    if len(found) > length:
        raise FieldError(("", f"must be at most {length} characters, not {len(found)}"))
    return found if empty else found.strip()


def flag(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise _refused("must be true or false", value)


def integer(minimum: int, maximum: int) -> Reader[int]:
    """Return a reader of whole numbers in that range."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum:
            return value
        raise _refused(f"must be a whole number from {minimum} to {maximum}", value)

    return read


def number(minimum: float, maximum: float) -> Reader[float]:
    """Return a reader of numbers in that range."""

    def read(value: object) -> float:
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and minimum <= value <= maximum
        ):
            return float(value)
        raise _refused(f"must be a number from {minimum:g} to {maximum:g}", value)

    return read


def one_of(words: type[E]) -> Reader[E]:
    """Return a reader of the words of a closed list."""

    def read(value: object) -> E:
        known = [word.value for word in words]
        if isinstance(value, str) and value in known:
            return words(value)
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise FieldError(
            (
                "",
                f"must be one of {', '.join(known)}, not {shown(value)}{hint}{_quote_hint(value)}",
            )
        )

    return read


def matching(pattern: re.Pattern[str], must: str) -> Reader[str]:
    """Return a reader of text that matches the whole pattern; `must` says it in words."""

    def read(value: object) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise _no_text(must, value)

    return read


def absolute_path(value: object) -> str:
    """Read a path from the root in its plain form, of printable characters."""
    found = text(value)
    if not found.startswith("/"):
        raise _refused('must be an absolute path (it starts with "/")', value)
    if not found.isprintable():
        raise _refused("must be a path of printable characters", value)
    if len(found) > PATH_LENGTH:
        raise FieldError(("", f"must be a path of at most {PATH_LENGTH} characters"))
    if found != "/" and {"", ".", ".."} & set(found[1:].split("/")):
        raise _refused('must be a plain path, without "//", ".", ".." and a "/" at the end', value)
    return found


def each(reader: Reader[T], *, most: int = 64) -> Reader[tuple[T, ...]]:
    """Return a reader of lists whose items the reader reads; `most` is how many."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise FieldError(("", f"must be a list like [a, b], not {shown(value)}"))
        if len(value) > most:
            raise FieldError(("", f"must have at most {most} items, not {len(value)}"))
        items: list[T] = []
        faults: list[tuple[str, str]] = []
        for position, item in enumerate(value):
            try:
                items.append(reader(item))
            except FieldError as error:
                faults += [(f"[{position}]{below}", reason) for below, reason in error.faults]
        if faults:
            raise FieldError(*faults)
        return tuple(items)

    return read


def json_value(value: object) -> object:
    """Read what JSON can express: text keys, finite numbers, no dates, at most 32 deep."""
    faults = list(_json_faults(value, "", 32))
    if faults:
        raise FieldError(*faults[:10])
    return value


def _json_faults(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth == 0:
        yield path, "is nested too deeply"
    elif isinstance(value, Mapping):
        yield from ((path, _key_reason(key)) for key in value if not isinstance(key, str))
        for key, item in value.items():
            yield from _json_faults(item, f"{path}.{shown_key(str(key))}", depth - 1)
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _json_faults(item, f"{path}[{position}]", depth - 1)
    elif not isinstance(value, str | int | float | bool | None):
        yield path, f"must be a JSON value, not {shown(value)}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, "must be a finite number"


def shown(value: object) -> str:
    """Return the value as a person wrote it, shortened; mappings and lists by their kind."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _short(repr(value))
    if isinstance(value, str):
        return _short(json.dumps(value, ensure_ascii=not value.isprintable()))
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def shown_key(key: str) -> str:
    """Return the key as part of a path: in quotes when it is not a plain word."""
    return key if re.fullmatch(r"[\w.$-]{1,60}", key) else shown(key)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?`, or nothing when no known word is near."""
    found = difflib.get_close_matches(word[:SHOWN_LENGTH], list(known), n=1)
    return f'; did you mean "{found[0]}"?' if found else ""


def _key_reason(key: object) -> str:
    return f"the key {shown(key)} must be text{_quote_hint(key)}"


def _short(found: str) -> str:
    return found if len(found) <= SHOWN_LENGTH else f"{found[: SHOWN_LENGTH - 3]}..."


def _refused(must: str, value: object) -> FieldError:
    return FieldError(("", f"{must}, not {shown(value)}"))


def _no_text(must: str, value: object) -> FieldError:
    return FieldError(("", f"{must}, not {shown(value)}{_quote_hint(value)}"))


def _quote_hint(value: object) -> str:
    """Return a word about YAML's readings that surprise people."""
    if isinstance(value, bool):
        return " (YAML reads a bare yes, no, on, off as true or false: put it in quotes)"
    if isinstance(value, int | float):
        return f' (put it in quotes: "{_short(repr(value))}")'
    return ""
